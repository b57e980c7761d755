/** The daemon is killed between any two steps of a network command. */
import { crashTests, NETWORK } from '../support/crash.js';
import { networkCommands } from '../support/crash-scenarios.js';
import { daemonForThisFile } from '../support/phrases.js';

const d = daemonForThisFile();
crashTests(d, { network: NETWORK }).killedAtEachStep(networkCommands(NETWORK));
