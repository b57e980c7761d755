/**
 * Layer 3 and up: publishing, masquerade, and who may reach a container. The chains never change; networks and endpoints
 * are elements, so a packet's cost does not grow with the number of ports. Base chains accept what is not ours.
 */
import type { HostTable } from '../language.js';
import { MESH_COUNTED } from '../mesh.js';
import { FORWARD } from './forward.js';
import { GUARDS } from './guards.js';
import { INPUT } from './input.js';
import { PUBLISH } from './publish.js';
import { SEALED } from './sealed.js';
import { SETS } from './sets.js';
import { SOURCE } from './source.js';
import { VXLAN } from './vxlan.js';

/** Chains as a packet meets them. */
export const INET: HostTable = {
  family: 'inet',
  name: 'viaduct',
  sets: SETS,
  counted: MESH_COUNTED,
  chains: [...GUARDS, ...VXLAN, ...SEALED, ...PUBLISH, ...FORWARD, ...INPUT, ...SOURCE],
};
