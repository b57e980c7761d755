/**
 * The records by table and id, and what a commit makes of them. Pure. Records are never mutated, so a list of them is a
 * snapshot, and what is the same object is the same.
 */
import type { Container } from '../model/container.js';

/** One record set (`value`) or removed (`null`). Which tables there are is the engine's to say. */
export interface StoredChange {
  readonly table: string;
  readonly id: string;
  readonly value: object | null;
}

export type Records = Map<string, StoredChange>;

/** In the tail a change is kept whole, or under this table as the patch of a container that is known whole. */
const PATCH = 'patch';

/** What of a container changes while it runs; the rest is as large as its users make it. */
const patchOf = ({ state, restartCount, sandboxId, endpointIds }: Container) => ({
  state,
  restartCount,
  sandboxId,
  endpointIds,
});

/** Does the patch say all that has changed? */
const patched = (before: Container, after: Container): boolean => {
  const rest = { ...after, ...patchOf(before) };
  const keys = new Set([...Object.keys(before), ...Object.keys(rest)]) as Set<keyof Container>; // of two containers
  return [...keys].every((key) => before[key] === rest[key]);
};

export const keyOf = ({ table, id }: Pick<StoredChange, 'table' | 'id'>): string =>
  `${table === PATCH ? 'container' : table}/${id}`;

const short = (records: Records, change: StoredChange): StoredChange => {
  if (change.table !== 'container') return change;
  const before = records.get(keyOf(change))?.value as Container | undefined; // the engine has them under this table
  const after = change.value as Container | null;
  return before && after && patched(before, after)
    ? { table: PATCH, id: change.id, value: patchOf(after) }
    : change;
};

/** The changes as the tail has them: as short as what is known before allows, which is of the first of each record. */
export const shortened = (records: Records, changes: readonly StoredChange[]): readonly StoredChange[] => {
  const met = new Set<string>();
  return changes.map((change) => {
    const key = keyOf(change);
    const known = !met.has(key);
    met.add(key);
    return known ? short(records, change) : change;
  });
};

/** Carries the changes out, shortened or whole. */
export const play = (records: Records, changes: readonly StoredChange[]): void => {
  for (const change of changes) {
    const key = keyOf(change);
    const known = records.get(key);
    if (change.value === null) records.delete(key);
    else if (change.table !== PATCH) records.set(key, change);
    else if (known) records.set(key, { ...known, value: { ...known.value, ...change.value } });
  }
};
