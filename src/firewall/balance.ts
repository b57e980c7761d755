/**
 * New flows spread over backends: a verdict map leads a key (a service's address, a published port) to the chain for so many slots,
 * that draws one by lot, and a second map tells of key and slot where to. Flows under way stay where they are, whatever
 * changes. A backend that goes leaves a hole that the last one fills, so a change is a few elements, however many there are.
 */
import { type Chain, COUNTED, type CountedChains, type SetElement, type Table } from './language.js';

/** The maps, by their names, and the chains that one way of balancing has. */
export interface Balancing {
  readonly family: SetElement['family'];
  /** key → verdict */
  readonly verdicts: string;
  /** key . slot → address, or address . port */
  readonly slots: string;
  /** of the chains for so many slots */
  readonly prefix: string;
  /** the chain for none */
  readonly refusal: string;
}

/** `targets`: the data of slot 0, 1, … */
export const balanced = (
  { family, verdicts, slots, prefix, refusal }: Balancing,
  key: readonly string[],
  targets: readonly (readonly string[])[],
): SetElement[] => [
  ...targets.map((data, slot) => ({ family, set: slots, key: [...key, String(slot)], data })),
  {
    family,
    set: verdicts,
    key,
    data: [`goto ${targets.length > 0 ? prefix + targets.length : refusal}`],
  },
];

/** The chain that the name means; undefined where it is none of these. */
const countedChain = ({ prefix, rules }: CountedChains, name: string): Chain | undefined => {
  const count = name.startsWith(prefix) ? name.slice(prefix.length) : '';
  if (!/^[1-9]\d{0,5}$/.test(count)) return undefined;
  const among = Number(count);
  return {
    name,
    rules: rules.map(({ comment, statements }) => ({
      comment,
      statements: statements.map((s) => ('among' in s && s.among === COUNTED ? { ...s, among } : s)),
    })),
  };
};

/** Can the verdict of an element lead to a chain of the table? */
export const hasChain = ({ chains, counted }: Table, [verdict = '']: readonly string[]): boolean => {
  const [, name = ''] = verdict.split(' ', 2);
  return (
    chains.some((chain) => chain.name === name) || (counted && countedChain(counted, name)) !== undefined
  );
};

/** The chains of `counted` that verdicts of the elements lead to. */
export const countedFor = ({ family, counted }: Table, elements: readonly SetElement[]): readonly Chain[] => {
  if (!counted) return [];
  const goto = `goto ${counted.prefix}`;
  const names = elements.flatMap(({ family: of, data: [verdict = ''] = [] }) =>
    of === family && verdict.startsWith(goto) ? [verdict.slice('goto '.length)] : [],
  );
  return [...new Set(names)].flatMap((name) => countedChain(counted, name) ?? []);
};
