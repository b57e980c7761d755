/** The daemon is killed between any two steps of a container's start, and of its own. */
import { test } from 'vitest';
import { CREATE, crashTests, NETWORK } from '../support/crash.js';
import { daemonForThisFile } from '../support/phrases.js';

const d = daemonForThisFile();
const { killedAtEachStep, killedInRecovery } = crashTests(d);

killedAtEachStep([
  {
    name: 'start',
    before: [NETWORK, CREATE],
    command: ['start', 'box'],
    may: ['net[], box created', 'net[], box exited', 'net[box], box running'],
    done: 'net[box], box running',
  },
]);

test('O3 killed at steps of: the daemon’s start', { timeout: 120_000 }, killedInRecovery);
