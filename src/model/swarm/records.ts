/** All kinds of records of a cluster, and their keys: the kind, and behind a slash the id, where it has one. */
import type { Attachment, Blob, Claimed, Cluster, SubnetList, SwarmNetwork, Turn } from './cluster.js';
import type { Node, NodeState, Session } from './node.js';
import type { Service, SpecVersion } from './service.js';
import type { Task, TaskReport } from './task.js';

/** Nobody's invariants rest on what is not here (join tokens, sealed keys, leases of managers). */
export interface SwarmRecords {
  readonly cluster: Cluster;
  readonly node: Node;
  readonly 'node-state': NodeState;
  readonly session: Session;
  readonly service: Service;
  readonly 'service-spec': SpecVersion;
  readonly task: Task;
  readonly 'task-status': TaskReport;
  readonly network: SwarmNetwork;
  readonly secret: Blob;
  readonly config: Blob;
  readonly attach: Attachment;
  readonly name: Claimed;
  readonly ip: Claimed;
  readonly port: Claimed;
  readonly vni: Claimed;
  readonly number: Claimed;
  readonly subnets: SubnetList;
  readonly turn: Turn;
}
export type Kind = keyof SwarmRecords;

/** There is one of each, so its id is in no key. */
const SINGLE: ReadonlySet<Kind> = new Set(['cluster', 'subnets', 'turn']);

/** Below the cluster's prefix. */
export const keyOf = (kind: Kind, id: string): string => (SINGLE.has(kind) ? kind : `${kind}/${id}`);
