/** The daemon is killed between any two steps of a container's life, and of its own start. */
import { CREATE, crashTests, NETWORK, RUN } from '../support/crash.js';
import { daemonForThisFile } from '../support/phrases.js';

const d = daemonForThisFile();
const { killedAtEachStep } = crashTests(d);

killedAtEachStep([
  {
    name: 'create',
    before: [NETWORK],
    command: CREATE,
    may: ['net[]', 'net[], box created'],
    done: 'net[], box created',
  },
  {
    name: 'the end of its program',
    before: [NETWORK, RUN],
    command: ['exec', 'box', 'touch', '/data/end'],
    may: ['net[], box exited'],
    done: 'net[], box exited',
  },
  {
    name: 'stop',
    before: [NETWORK, RUN],
    command: ['stop', '-t', '0', 'box'],
    may: ['net[box], box running', 'net[], box exited'],
    done: 'net[], box exited',
  },
  {
    name: 'rm -f',
    before: [NETWORK, RUN],
    command: ['rm', '-f', 'box'],
    may: ['net[box], box running', 'net[], box exited', 'net[]'],
    done: 'net[]',
  },
]);
