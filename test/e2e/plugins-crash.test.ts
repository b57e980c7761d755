/**
 * The daemon is killed between any two steps of what it asks a plugin for. It converges: what the user sees is the state
 * before or after, and what the plugin made and nobody wants is given back.
 */
import { crashTests } from '../support/crash.js';
import { networkCommands, remove, start } from '../support/crash-scenarios.js';
import { examplePluginFor } from '../support/example-plugin.js';
import { daemonForThisFile } from '../support/phrases.js';

const d = daemonForThisFile();
const { held } = examplePluginFor(d);

const network = ['network', 'create', '-d', 'example', '--ipam-driver', 'example', 'net'];
const { killedAtEachStep } = crashTests(d, { network, held, ids: 'O3 D9' });

killedAtEachStep(networkCommands(network), 3);
killedAtEachStep([start(network), remove(network)], 3);
