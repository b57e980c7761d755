/** The daemon is killed between any two steps of a container's life. */
import { crashTests, NETWORK } from '../support/crash.js';
import { containerCommands, remove } from '../support/crash-scenarios.js';
import { daemonForThisFile } from '../support/phrases.js';

const d = daemonForThisFile();
crashTests(d, { network: NETWORK }).killedAtEachStep([...containerCommands(NETWORK), remove(NETWORK)]);
