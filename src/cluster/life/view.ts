/** What a manager's mirror says of the cluster and its nodes, as the API shows it. Pure. */

import type { ClusterSpec as Kept } from '../../model/swarm/cluster.js';
import type { Node } from '../../model/swarm/node.js';
import { parseAll, partsOf } from '../ca/certificate.js';
import type { ClusterSpec, ClusterView, NodeView } from '../contract.js';
import type { Mirror } from '../mirror/index.js';

const iso = (ms: number): string => new Date(ms).toISOString();

const specOf = (spec: Kept): ClusterSpec => ({
  name: 'default',
  labels: spec.labels,
  taskHistoryLimit: spec.historyLimit,
  raft: spec.raft,
  heartbeatPeriod: spec.heartbeatPeriod,
  certificateLife: spec.nodeCertExpiry,
  forceRotate: spec.forceRotate,
  autoLock: spec.autoLock,
});

/** Undefined where the mirror has no cluster yet. */
export const viewCluster = ({ state }: Mirror, rotating: boolean): ClusterView | undefined => {
  const cluster = state.get('cluster', '');
  if (!cluster) return undefined;
  // The one that issues is in front.
  const [first] = parseAll(cluster.authorities);
  const issuer = first && partsOf(first);
  return {
    id: cluster.id,
    version: cluster.version,
    createdAt: iso(cluster.createdAt),
    updatedAt: iso(cluster.updatedAt),
    spec: specOf(cluster.spec),
    trustRoot: cluster.authorities,
    issuerSubject: issuer?.subject.toString('base64') ?? '',
    issuerPublicKey: issuer?.publicKey.toString('base64') ?? '',
    rotating,
    pools: cluster.addressPools,
    subnetSize: cluster.subnetSize,
    dataPathPort: cluster.dataPort,
  };
};

/** `reachable`: managers that answer, where the mirror itself cannot know it; undefined: it can. */
export const viewNode = (
  mirror: Mirror,
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
    status: { ...node.status, address: said?.address ?? '' },
    manager: member && {
      // Nobody leads who cannot write.
      leader: reachable === undefined && mirror.leader?.node === node.id,
      reachability: lives ? 'reachable' : 'unreachable',
      address: member.address,
    },
  };
};
