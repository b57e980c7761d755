/** What a manager's mirror says of the cluster and its nodes, as the API shows it. Pure. */

import type { Node, NodeState } from '../../model/swarm/node.js';
import { issuerIn, namesOf } from '../ca/succession.js';
import type { ClusterView, NodeView, SwarmStatus } from '../contract.js';
import type { Mirror } from '../mirror/index.js';

const iso = (ms: number): string => new Date(ms).toISOString();

/** Undefined where the mirror has no cluster yet. */
export const viewCluster = ({ state }: Mirror): ClusterView | undefined => {
  const cluster = state.get('cluster', '');
  if (!cluster) return undefined;
  const issuer = namesOf(issuerIn(cluster));
  return {
    id: cluster.id,
    version: cluster.version,
    createdAt: iso(cluster.createdAt),
    updatedAt: iso(cluster.updatedAt),
    spec: cluster.spec,
    trustRoot: cluster.authorities,
    issuerSubject: issuer.subject,
    issuerPublicKey: issuer.publicKey,
    rotating: cluster.rotation !== undefined,
    pools: cluster.addressPools,
    subnetSize: cluster.subnetSize,
    dataPathPort: cluster.dataPort,
  };
};

const TWO_MANAGERS = `WARNING: Running Swarm in a two-manager configuration. This configuration provides
         no fault tolerance, and poses a high risk to lose control over the cluster.
         Refer to https://docs.docker.com/engine/swarm/admin_guide/ to configure the
         Swarm for fault-tolerance.`;

/** Undefined where the mirror has no cluster yet. */
export const clusterStatus = (mirror: Mirror): SwarmStatus['cluster'] => {
  const view = viewCluster(mirror);
  if (!view) return undefined;
  const managers = mirror.members.size;
  return {
    view,
    nodes: mirror.state.all('node').size,
    managers,
    warnings: managers === 2 ? [TWO_MANAGERS] : [],
  };
};

/** What a node that is there says of itself is how it is; of one that is not there it is how it was. */
const statusOf = ({ status }: Node, said: NodeState | undefined): Node['status'] => ({
  ...status,
  message:
    status.state === 'ready'
      ? [status.message, ...(said?.faults ?? [])].filter(isSaid).join('; ')
      : status.message,
});
const isSaid = (text: string): boolean => text !== '';

/** `reachable`: managers that answer, where the mirror itself cannot know it; undefined: it can. */
export const viewNode = (
  mirror: Pick<Mirror, 'state' | 'members' | 'living' | 'leader'>,
  node: Node,
  reachable: ReadonlySet<string> | undefined,
): NodeView => {
  const said = mirror.state.get('node-state', node.id);
  const member = mirror.members.get(node.id);
  const lives = (reachable ?? mirror.living).has(node.id);
  return {
    id: node.id,
    version: node.version,
    createdAt: iso(node.createdAt),
    updatedAt: iso(node.updatedAt),
    spec: { name: node.name, labels: node.labels, role: node.role, availability: node.availability },
    description: said?.description,
    status: { ...statusOf(node, said), address: said?.address ?? '' },
    manager: member && {
      // Nobody leads who cannot write.
      leader: reachable === undefined && mirror.leader?.node === node.id,
      reachability: lives ? 'reachable' : 'unreachable',
      address: member.address,
    },
  };
};
