/** Everything that a daemon loads when there is a node to be: one file, so that the build makes one part of it. */
export { parseUnlockKey } from '../ca/tokens.js';
export { findPrograms } from '../programs.js';
export { nodeFiles } from './files.js';
export { init } from './init.js';
export { join } from './join.js';
export { startNode } from './node.js';
export { endEtcd, endPrograms } from './programs-of.js';
