/**
 * Carries out a command of the API's on a manager: decided from the mirror's records, written to etcd as one transaction, and seen by the
 * mirror before the client is answered.
 */
import type { CommandView } from '../control/commands/view.js';
import type { Unit } from '../control/draft.js';
import { transaction } from '../control/transactions.js';
import type { Compare } from '../etcd/contract.js';
import { newId } from '../ids.js';
import type { Mirror } from '../mirror/index.js';
import { outOfSequence } from '../rpc.js';
import type { Store } from './store.js';

export interface CommitSettings {
  readonly mirror: Pick<Mirror, 'state' | 'prefix'>;
  readonly store: Store;
  readonly now: () => number;
}

interface Decided {
  readonly unit: Unit;
  /** what must be as it is, besides what the unit changes */
  readonly needs?: readonly Compare[];
}

/** how often somebody else may be quicker */
export const CONFLICTS = 8;

/** Decides again where something of it has changed meanwhile; writes nothing where nothing changes. Throws what the decision throws, and what the store does. */
export type Commit = <T extends Decided>(decide: (view: CommandView) => T) => Promise<T>;

export const createCommit =
  ({ mirror: { state, prefix }, store, now }: CommitSettings): Commit =>
  async (decide) => {
    for (let tries = 0; tries < CONFLICTS; tries += 1) {
      const decided = decide({ state, now: now(), newId });
      if (decided.unit.length === 0) return decided;
      const { compare, success } = transaction(decided.unit, prefix);
      if (await store.commit({ compare: [...compare, ...(decided.needs ?? [])], success })) return decided;
    }
    throw outOfSequence();
  };
