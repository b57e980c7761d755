/** Published ports in no order as one object where they are many, as elements, from one state to another, and back. */
import { defined } from '../defined.js';
import type { PortBinding, Protocol } from '../model/port.js';
import { groupBy } from '../plan/group.js';
import { containerOf, hostOf, type PortPair, portPair, samePairs } from '../plan/kinds/published.js';
import type { ElementObject, PublishedObject } from '../plan/objects.js';
import { inetMap } from './elements.js';

/** From this many on they are one object. */
export const MANY = 64;

/** A published port's element, or many; and whatever else is an element. */
export type Led = ElementObject | PublishedObject;

/** Each port of each run, ascending. */
export const pairsOf = (
  bindings: readonly Pick<PortBinding, 'hostPort' | 'containerPort' | 'count'>[],
): readonly PortPair[] => {
  const pairs: PortPair[] = [];
  for (const { hostPort, containerPort, count } of bindings)
    for (let i = 0; i < count; i += 1) pairs.push(portPair(hostPort + i, containerPort + i));
  return pairs.sort((a, b) => a - b);
};

type Place = Omit<PublishedObject, 'kind' | 'family' | 'pairs'>;

const elementOf = ({ set, protocol, address, to }: Place, pair: PortPair): ElementObject =>
  inetMap(
    set,
    [...(address === undefined ? [] : [address]), protocol, String(hostOf(pair))],
    [to, String(containerOf(pair))],
  );

export const gathered = (place: Place, pairs: readonly PortPair[]): readonly Led[] =>
  pairs.length < MANY
    ? pairs.map((pair) => elementOf(place, pair))
    : [{ kind: 'published', family: 'inet', ...place, pairs }];

/** Of one of them. */
export const ledElements = (o: Led): readonly ElementObject[] =>
  o.kind === 'element' ? [o] : o.pairs.map((pair) => elementOf(o, pair));

interface Change {
  readonly op: 'add' | 'delete';
  readonly element: ElementObject;
}

const changes = (op: Change['op'], o: Led | undefined, beside: Led | undefined): readonly Change[] => {
  if (o?.kind !== 'published') return o ? [{ op, element: o }] : [];
  const others = beside?.kind === 'published' ? beside.pairs : [];
  if (samePairs(o.pairs, others)) return [];
  const kept = new Set(others);
  const differing = kept.size > 0 ? o.pairs.filter((pair) => !kept.has(pair)) : o.pairs;
  return differing.map((pair) => ({ op, element: elementOf(o, pair) }));
};

/** From one state of an object to another, of which either may be nothing. Of many, what differs alone. */
export const ledChanges = (before: Led | undefined, after: Led | undefined): readonly Change[] => [
  ...changes('delete', before, after),
  ...changes('add', after, before),
];

const SINGLES = /^publish(?:_any)?[46]$/;

const nameOf = ({ set, key, data }: ElementObject): string =>
  `${set} ${key.slice(0, -1).join(' ')} ${data?.[0]}`;

/** What elements of one place say. */
const objectOf = (elements: readonly ElementObject[]): readonly Led[] => {
  const [{ set, key, data } = inetMap('', [], [])] = elements;
  const [protocol = '', address] = key.slice(0, -1).reverse();
  const place = { set, protocol: protocol as Protocol, ...defined({ address }), to: data?.[0] ?? '' }; // read from fields of these types
  const pairs = elements.map((each) => portPair(Number(each.key.at(-1)), Number(each.data?.[1])));
  return gathered(
    place,
    pairs.sort((a, b) => a - b),
  );
};

/** The other way round: elements that are observed, those put together that are many of one place. */
export const ledBy = (elements: readonly ElementObject[]): readonly Led[] => {
  const singles = elements.filter(({ family, set }) => family === 'inet' && SINGLES.test(set));
  const many = [...groupBy(singles, nameOf).values()].filter(({ length }) => length >= MANY);
  if (many.length === 0) return elements;
  const taken = new Set(many.flat());
  return [...elements.filter((each) => !taken.has(each)), ...many.flatMap(objectOf)];
};
