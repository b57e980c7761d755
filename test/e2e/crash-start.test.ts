/** The daemon is killed between any two steps of a container's start, and of its own. */
import { test } from 'vitest';
import { crashTests, NETWORK } from '../support/crash.js';
import { start } from '../support/crash-scenarios.js';
import { daemonForThisFile } from '../support/phrases.js';

const d = daemonForThisFile();
const { killedAtEachStep, killedInRecovery } = crashTests(d, { network: NETWORK });

killedAtEachStep([start(NETWORK)]);

test('O3 killed at steps of: the daemon’s start', { timeout: 120_000 }, killedInRecovery);
