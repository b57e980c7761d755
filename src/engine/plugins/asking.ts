/** Whatever plugins are asked for is asked in here: between the decision that needs their answer and the one that has it. */
import type { Claim } from '../../model/claim.js';
import type { Owed, OwedCall } from '../../model/owed.js';
import { drop, put } from '../commit/tables.js';
import type { Writing } from '../parts.js';
import type { View } from '../view.js';

export interface Asking {
  /** Notes what takes the next request, or the last answer, back. */
  readonly owe: (call: OwedCall) => void;
  /** Keeps from others what was chosen, until the asking has ended. */
  readonly claim: (held: Omit<Claim, 'id'>) => void;
}

/**
 * `work` asks, and commits the record that wants what was asked for: in the same commit the debt is struck off. Where it
 * fails, what was asked before is taken back.
 */
export const asking = async <T>(
  { model, ledger, debts }: Pick<View, 'model'> & Pick<Writing, 'ledger' | 'debts'>,
  whom: Omit<Owed, 'calls' | 'link'>,
  work: (asking: Asking) => Promise<T>,
): Promise<T> => {
  const { id } = whom;
  const calls: OwedCall[] = [];
  try {
    return await work({
      owe(call) {
        calls.unshift(call);
        debts.note({ ...whom, calls: [...calls] });
      },
      claim: (held) => ledger.commit([put('claim', { id, ...held })]),
    }).finally(() => debts.answered(id));
  } catch (error) {
    await debts.settle(id);
    throw error;
  } finally {
    if (model.tables.claim.records.has(id)) ledger.commit([drop('claim', id)]);
  }
};
