/** Finds a record of the swarm by what users call it: an id, the beginning of one, or a name. */
import { invalid, notFound } from '../../errors.js';

interface Named<T> {
  readonly kind: string;
  readonly all: ReadonlyMap<string, T>;
  nameOf(record: T): string;
}

/** By the full id, then by name, then by the beginning of an id, as moby asks swarmkit. */
export const find = <T>({ kind, all, nameOf }: Named<T>, reference: string): T => {
  const exact = all.get(reference);
  if (exact) return exact;
  const named = [...all.values()].filter((record) => nameOf(record) === reference);
  const matches =
    named.length > 0 ? named : [...all].flatMap(([id, record]) => (id.startsWith(reference) ? [record] : []));
  const [first, second] = matches;
  if (first === undefined || reference === '') throw notFound(`${kind} ${reference.slice(0, 200)} not found`);
  if (second !== undefined)
    throw invalid(`${kind} ${reference.slice(0, 200)} is ambiguous (${matches.length} matches found)`);
  return first;
};
