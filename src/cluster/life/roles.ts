/** What nodes with a session are told when the cluster's records of nodes, of managers and of itself change. */
import type { Cluster } from '../../model/swarm/cluster.js';
import type { Node } from '../../model/swarm/node.js';
import { issuerIn, namesOf } from '../ca/succession.js';
import type { Mirror, RecordChange } from '../mirror/index.js';
import type { Answer } from '../session/protocol.js';
import type { Sessions } from '../session/server.js';

/** Whom each node is to trust, and who gives certificates. */
export const trustIn = (cluster: Cluster): Pick<Answer<'role'>, 'authorities' | 'issuer'> => ({
  authorities: cluster.authorities,
  issuer: namesOf(issuerIn(cluster)).publicKey,
});

const hasOtherAuthorities = ({ kind, before, after }: RecordChange): boolean => {
  if (kind !== 'cluster') return false;
  const [was, is] = [before as Cluster | undefined, after as Cluster | undefined]; // the change is of the cluster
  return was?.authorities !== is?.authorities || was?.rotation?.authority !== is?.rotation?.authority;
};

/** A node whose role is not the one of its certificate learns it, and one that was removed too; all learn who the managers and authorities are. */
export const tellRoles = (
  sessions: Sessions,
  changes: readonly RecordChange[],
  { state, members }: Mirror,
): void => {
  const cluster = state.get('cluster', '');
  // Once for all nodes: certificates are read for it.
  let trust: ReturnType<typeof trustIn> | undefined;
  const tell = (node: Node | undefined): void => {
    if (!node || !cluster) return;
    trust ??= trustIn(cluster);
    sessions.tell(node.id, { type: 'role', role: node.role, ...trust });
  };
  if (changes.some(hasOtherAuthorities)) for (const id of sessions.nodes.keys()) tell(state.get('node', id));
  for (const { kind, id, after } of changes) {
    if (kind !== 'node') continue;
    const session = sessions.nodes.get(id);
    if (!session) continue;
    const node = state.get('node', id);
    if (!after || !node) sessions.remove(id);
    else if (node.role !== session.peer.role) tell(node);
  }
  if (changes.length === 0)
    sessions.tellAll({
      type: 'managers',
      managers: [...members].map(([id, { address }]) => ({ id, address })),
    });
};
