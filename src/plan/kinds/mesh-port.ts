/**
 * A published port of the routing mesh, as one family reaches it. One object a port, not one a task: a change of one task among thousands
 * compares two lists.
 */
import type { Protocol } from '../../model/port.js';
import { same } from '../equal.js';
import type { Kind } from './kind.js';
import type { ElementObject } from './nftables.js';

export interface MeshPortObject {
  readonly kind: 'meshPort';
  readonly family: 4 | 6;
  readonly protocol: Protocol;
  readonly port: number;
  /** `10.0.0.3 80`: a task's address and port, each at the number of its slot; at least one where wanted */
  readonly targets: readonly string[];
  /** only where observed: what there is of it, where that is not what we write for these targets */
  readonly damaged?: readonly ElementObject[];
}

const meshPort: Kind<MeshPortObject> = {
  key: ({ family, protocol, port }) => `${family} ${protocol} ${port}`,
  mark: 'own',
  open: 'openElement',
  close: 'closeElement',
  same: (a, b) => same(a.targets, b.targets) && same(a.damaged, b.damaged),
  print: (op, { family, protocol, port, targets }) =>
    `lead ${protocol} ${port} of IPv${family} ${op === 'delete' ? 'nowhere' : `to ${targets.join(', ')}`}`,
};

export const MESH_PORT = { meshPort };
