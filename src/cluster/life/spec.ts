/** A cluster's settings: what holds where nothing is said, and what is refused, in swarmkit's words. Pure. */
import type { ClusterSpec as Kept } from '../../model/swarm/cluster.js';
import type { ClusterSpecRequest } from '../contract.js';
import { rpcError } from '../rpc.js';

const SECOND = 1_000_000_000;

/** swarmkit's and moby's numbers; those of raft are shown and nothing more: the consensus is etcd's. */
export const DEFAULT_SPEC: Kept = {
  labels: {},
  historyLimit: 5,
  heartbeatPeriod: 5 * SECOND,
  nodeCertExpiry: 2_160 * 3_600 * SECOND,
  forceRotate: 0,
  autoLock: false,
  raft: {
    snapshotInterval: 10_000,
    keepOldSnapshots: 0,
    logEntriesForSlowFollowers: 500,
    electionTick: 10,
    heartbeatTick: 1,
  },
};

/** what certificates cannot be shorter than */
const SHORTEST_LIFE = 3_600 * SECOND;

/** `base`: what stays where nothing is said. Throws invalid. */
export const mergeSpec = (base: Kept, { spec }: ClusterSpecRequest): Kept => {
  const life = spec.certificateLife ?? base.nodeCertExpiry;
  if (life < SHORTEST_LIFE) throw rpcError('InvalidArgument', 'minimum certificate expiry time is: 1h0m0s');
  const heartbeat = spec.heartbeatPeriod ?? base.heartbeatPeriod;
  if (heartbeat < 0) throw rpcError('InvalidArgument', 'heartbeat time period cannot be a negative duration');
  return {
    ...base,
    labels: spec.labels ?? base.labels,
    historyLimit: spec.taskHistoryLimit ?? base.historyLimit,
    heartbeatPeriod: heartbeat,
    nodeCertExpiry: life,
    forceRotate: spec.forceRotate ?? base.forceRotate,
    autoLock: spec.autoLock ?? base.autoLock,
    raft: { ...base.raft, ...spec.raft },
  };
};
