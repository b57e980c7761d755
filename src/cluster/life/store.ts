/** Writing to the cluster's store: refused at once, in words that say what to do, where nothing can be written. */
import { internal, unavailable } from '../../errors.js';
import type { Etcd, EtcdAdmin, Txn } from '../etcd/contract.js';
import { EtcdError, isEtcd } from '../etcd/failure.js';
import { noQuorum } from '../words.js';

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
    readonly managers: () => Promise<{ readonly reachable: number; readonly all: number }>;
  },
): Store => {
  const describe = async (error: unknown): Promise<Error> => {
    if (isEtcd(error, 'no-leader') || isEtcd(error, 'unavailable'))
      return unavailable(noQuorum(await settings.managers()), error);
    if (isEtcd(error, 'no-space'))
      return unavailable(
        'the cluster’s store is full: nothing can be written until something is removed (services, secrets, configs, networks)',
        error,
      );
    return error instanceof EtcdError ? internal(error.message, error) : (error as Error); // nothing else is thrown
  };
  return {
    async commit(txn) {
      try {
        // A write without a leader would be refused only after 7 seconds; the question costs a millisecond.
        if ((await etcd.status()).leader === undefined)
          throw new EtcdError({ kind: 'no-leader' }, 'etcd has no leader');
        const { succeeded, revision } = await etcd.txn(txn);
        await settings.reached(revision);
        return succeeded;
      } catch (error) {
        throw await describe(error);
      }
    },
  };
};
