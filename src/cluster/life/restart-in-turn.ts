/**
 * A manager's etcd reads whom to trust only when it starts: then it is started anew, one manager's of the cluster at a time, and only where
 * the others are a quorum without it.
 */
import type { Etcd } from '../etcd/contract.js';
import type { Reach } from './reach.js';

/** Whose turn it is to start etcd anew, in the cluster's store: the id of a node. */
const RESTARTING = 'restarting';
/** Seconds: longer than a start takes, and how long the others wait for a manager that dies meanwhile. */
const TURN_S = 30;

export interface RestartSettings {
  readonly etcd: Pick<Etcd, 'range' | 'txn' | 'grantLease' | 'revokeLease'>;
  readonly prefix: string;
  readonly nodeId: string;
  readonly reach: Reach['ask'];
  /** etcd is led by another manager then, where there is one. */
  readonly handOver: () => Promise<void>;
  /** Resolves when etcd runs again. */
  readonly restart: () => Promise<void>;
}

/** Resolves to false where it is another manager's turn, or too few others answer; nothing has happened then. */
export const restartInTurn = async (
  { etcd, prefix, nodeId, reach, handOver, restart }: RestartSettings,
  save: () => void,
): Promise<boolean> => {
  const key = prefix + RESTARTING;
  if ((await etcd.range({ key })).entries.length > 0) return false;
  const { id: lease } = await etcd.grantLease(TURN_S);
  try {
    const taken = await etcd.txn({
      compare: [{ key, createRevision: 0 }],
      success: [{ do: 'put', key, value: nodeId, lease }],
    });
    const { reachable, all } = await reach();
    // Of one or two managers none can be spared: their store stands still for a moment.
    if (!taken.succeeded || (reachable < all && reachable - 1 <= all / 2)) return false;
    await handOver();
    save();
    await restart();
    return true;
  } finally {
    await etcd.revokeLease(lease).catch(() => {}); // it ends by itself
  }
};
