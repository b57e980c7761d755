/** A cluster's settings: what holds where nothing is said, and what is refused, in swarmkit's words. Pure. */
import type { ClusterSpec } from '../../model/swarm/cluster.js';
import type { ClusterSpecRequest } from '../contract.js';
import { rpcError } from '../rpc.js';

const SECOND = 1_000_000_000;

/** swarmkit's and moby's numbers; those of raft are shown and nothing more: the consensus is etcd's. */
export const DEFAULT_SPEC: ClusterSpec = {
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
export const mergeSpec = (base: ClusterSpec, { spec }: ClusterSpecRequest): ClusterSpec => {
  const merged = { ...base, ...spec, raft: { ...base.raft, ...spec.raft } };
  if (merged.nodeCertExpiry < SHORTEST_LIFE)
    throw rpcError('InvalidArgument', 'minimum certificate expiry time is: 1h0m0s');
  if (merged.heartbeatPeriod < 0)
    throw rpcError('InvalidArgument', 'heartbeat time period cannot be a negative duration');
  return merged;
};
