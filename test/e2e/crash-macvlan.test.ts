/** The daemon is killed between steps of all that it does for a macvlan network on the host's own wire. */
import { crashTests } from '../support/crash.js';
import { networkCommands, remove, start } from '../support/crash-scenarios.js';
import { daemonForThisFile } from '../support/phrases.js';
import { LAN } from '../support/world.js';

const d = daemonForThisFile();
const network = ['network', 'create', '-d', 'macvlan', ...LAN, '-o', 'parent=eth0', 'net'];
const { killedAtEachStep } = crashTests(d, { network, ids: 'O3 D6' });

killedAtEachStep(networkCommands(network), 2);
killedAtEachStep([start(network), remove(network)], 5);
