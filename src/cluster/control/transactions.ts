/**
 * Decisions as transactions for etcd. Each is carried out only while the leader still leads, while nothing that it changes has
 * changed otherwise, and only after all of the leader's transactions before it: one that comes late, or was decided by a view
 * that lacks the leader's own last words, does nothing. Without the last, a task that was made but not seen yet would be made
 * again, as a new one has a key of its own.
 */
import type { Turn } from '../../model/swarm/cluster.js';
import { keyOf } from '../../model/swarm/records.js';
import { type Change, type Unit, writtenOf } from './draft.js';

/** As `etcd/contract.ts` has it. */
type Compare = { readonly key: string } & (
  | { readonly createRevision: number }
  | { readonly modRevision: number }
  | { readonly value: string }
);
type Operation =
  | { readonly do: 'put'; readonly key: string; readonly value: string }
  | { readonly do: 'delete'; readonly key: string };
export interface Transaction {
  readonly compare: readonly Compare[];
  readonly success: readonly Operation[];
}

export interface Fence {
  /** of the cluster; ends in a slash */
  readonly prefix: string;
  /** the key that the leader holds by its lease, and when it took it */
  readonly leader: { readonly key: string; readonly createRevision: number };
  /** as the leader's mirror has it; undefined: there was none yet */
  readonly turn: Turn | undefined;
}

/** Of one transaction. A hundred take etcd 7 ms. */
const MOST_OPERATIONS = 100;
/** Of the values' form. */
const FORM = 1;

export const encode = (value: object): string => JSON.stringify({ form: FORM, ...value });

const encodedTurn = (count: number): string => encode({ id: '', count });

const operation = ({ kind, id, record }: Change, prefix: string): Operation => {
  const key = prefix + keyOf(kind, id);
  return record ? { do: 'put', key, value: encode(writtenOf(record)) } : { do: 'delete', key };
};

const unchanged = ({ kind, id, version }: Change, prefix: string): Compare =>
  version === 0
    ? { key: prefix + keyOf(kind, id), createRevision: 0 }
    : { key: prefix + keyOf(kind, id), modRevision: version };

/** As many whole units together as fit. */
const batches = (units: readonly Unit[]): readonly (readonly Change[])[] => {
  const all: Change[][] = [];
  for (const unit of units) {
    const last = all.at(-1);
    if (last && last.length + unit.length < MOST_OPERATIONS) last.push(...unit);
    else all.push([...unit]);
  }
  return all;
};

/** Of a command of the API's: nobody must have changed any of it meanwhile. */
export const transaction = (unit: Unit, prefix: string): Transaction => ({
  compare: unit.map((change) => unchanged(change, prefix)),
  success: unit.map((change) => operation(change, prefix)),
});

/** To be carried out one after the other; when one is refused, those behind it would be too. */
export const transactions = (
  units: readonly Unit[],
  { prefix, leader, turn }: Fence,
): readonly Transaction[] => {
  const key = prefix + keyOf('turn', '');
  return batches(units).map((changes, at) => {
    const count = (turn?.count ?? 0) + at;
    return {
      compare: [
        leader,
        turn || at > 0 ? { key, value: encodedTurn(count) } : { key, createRevision: 0 },
        ...changes.map((change) => unchanged(change, prefix)),
      ],
      success: [
        { do: 'put', key, value: encodedTurn(count + 1) },
        ...changes.map((change) => operation(change, prefix)),
      ],
    };
  });
};
