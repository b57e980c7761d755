/** FAST: all of `safety.test.ts`, with shortcuts past all bridges. */
import { withFlags } from '../support/daemon.js';

withFlags('--default-network-opt', 'bridge=viaduct.fastpath=always');
await import('./safety.test.js');
