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
  /** the chain for none; absent: a key that leads nowhere is not there */
  readonly refusal?: string;
}

/** Of slot 0, 1, …: the texts of its data's fields, with a blank between them. */
type Targets = readonly string[];

const slotElement = (
  { family, slots: set }: Balancing,
  key: readonly string[],
  slot: number,
  target: string,
): SetElement => ({ family, set, key: [...key, String(slot)], data: target.split(' ') });

const verdictElements = (
  { family, verdicts: set, prefix, refusal }: Balancing,
  key: readonly string[],
  { length }: Targets,
): SetElement[] => {
  const chain = length > 0 ? prefix + length : refusal;
  return chain === undefined ? [] : [{ family, set, key, data: [`goto ${chain}`] }];
};

export const balanced = (by: Balancing, key: readonly string[], targets: Targets): SetElement[] => [
  ...targets.map((target, slot) => slotElement(by, key, slot, target)),
  ...verdictElements(by, key, targets),
];

/** The elements that go where targets change, and those that come behind them; undefined: the key is not there. */
export const rebalanced = (
  by: Balancing,
  key: readonly string[],
  before: Targets | undefined,
  after: Targets | undefined,
): { readonly gone: readonly SetElement[]; readonly come: readonly SetElement[] } => {
  const moves = before?.length !== after?.length;
  const differing = (of: Targets | undefined, from: Targets = []): SetElement[] => {
    const slots = [...(of ?? []).keys()].filter((slot) => of?.[slot] !== from[slot]);
    return [
      ...slots.map((slot) => slotElement(by, key, slot, of?.[slot] ?? '')),
      ...(of && moves ? verdictElements(by, key, of) : []),
    ];
  };
  return { gone: differing(before, after), come: differing(after, before) };
};

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

/** The other way round: what slots lead to, each at its number; as many as there are slots, whatever numbers somebody else has written. */
export const backendsIn = (slots: readonly SetElement[]): readonly string[] => {
  const found = slots.map(() => '');
  for (const { key, data = [] } of slots)
    if (Number(key.at(-1)) < found.length) found[Number(key.at(-1))] = data.join(' ');
  return found;
};
