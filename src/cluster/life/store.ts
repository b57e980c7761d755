/** Writing to the cluster's store: refused at once, in words that say what to do, where nothing can be written. */
import { setTimeout as pause } from 'node:timers/promises';
import { internal, unavailable } from '../../errors.js';
import type { Etcd, EtcdAdmin, Txn } from '../etcd/contract.js';
import { EtcdError, isEtcd } from '../etcd/failure.js';
import { noQuorum } from '../words.js';

/** milliseconds: an etcd whose leader has handed over has none for a moment */
const HANDED_OVER_MS = 500;
const LOOK_MS = 50;

export interface Store {
  /**
   * False where the comparisons did not hold; nothing is written then. What is written is in the mirror when it resolves. Throws
   * unavailable where there is no quorum, or no answer.
   */
  commit(txn: Txn): Promise<boolean>;
}

export const createStore = (
  etcd: Pick<Etcd, 'txn'> & Pick<EtcdAdmin, 'status'>,
  settings: {
    readonly reached: (revision: number) => Promise<void>;
    /** managers that answer, and all of them */
    /** while this manager's etcd is started again, which takes a moment */
    readonly restarting: () => Promise<void> | undefined;
    readonly managers: () => Promise<{ readonly reachable: number; readonly all: number }>;
  },
): Store => {
  const describe = async (error: unknown): Promise<Error> => {
    if (isEtcd(error, 'no-leader') || isEtcd(error, 'unavailable'))
      return unavailable(noQuorum(await settings.managers()), error);
    if (isEtcd(error, 'no-space'))
      return unavailable(
        'the cluster’s store is full: nothing can be written until something is removed (services, secrets, configs, networks) and a manager has given its room back, which takes half a minute',
        error,
      );
    if (error instanceof EtcdError && error.failure.kind === 'disk-full')
      return unavailable(error.message, error);
    return error instanceof EtcdError ? internal(error.message, error) : (error as Error); // nothing else is thrown
  };
  /** A write without a leader would be refused only after 7 seconds; the question costs a millisecond. */
  const requireLeader = async (): Promise<void> => {
    await settings.restarting()?.catch(() => {});
    const end = performance.now() + HANDED_OVER_MS;
    while ((await etcd.status()).leader === undefined) {
      if (performance.now() > end) throw new EtcdError({ kind: 'no-leader' }, 'etcd has no leader');
      await pause(LOOK_MS);
    }
  };
  return {
    async commit(txn) {
      try {
        await requireLeader();
        const { succeeded, revision } = await etcd.txn(txn);
        await settings.reached(revision);
        return succeeded;
      } catch (error) {
        throw await describe(error);
      }
    },
  };
};
