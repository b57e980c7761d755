/** The daemon is killed between any two steps of a network command. */
import { crashTests, NETWORK, RUN } from '../support/crash.js';
import { daemonForThisFile } from '../support/phrases.js';

const d = daemonForThisFile();
const { killedAtEachStep } = crashTests(d);

killedAtEachStep([
  { name: 'network create', before: [], command: NETWORK, may: ['', 'net[]'], done: 'net[]' },
  { name: 'network rm', before: [NETWORK], command: ['network', 'rm', 'net'], may: ['', 'net[]'], done: '' },
  {
    name: 'network connect',
    before: [NETWORK, ['run', '-d', '--name', 'box', '--stop-timeout', '0', 'alpine', 'sleep', '600']],
    command: ['network', 'connect', 'net', 'box'],
    may: ['net[], box running', 'net[box], box running'],
    done: 'net[box], box running',
  },
  {
    name: 'network disconnect',
    before: [NETWORK, RUN],
    command: ['network', 'disconnect', 'net', 'box'],
    may: ['net[], box running', 'net[box], box running'],
    done: 'net[], box running',
  },
]);
