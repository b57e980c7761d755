/** Functions that every template may use: Go's, as far as they make sense for texts, and swarm's `join`. Pure. */
import { isMap, isStructure, isTrue, textOf, typeOf, type Value } from './values.js';

/** Throws Error: the words are the caller's to complete. */
export type TemplateFunction = (...operands: readonly Value[]) => Value;

const comparable = (a: Value, b: Value): void => {
  if (typeof a !== typeof b || isMap(a) || isStructure(a))
    throw new Error('incompatible types for comparison');
};

const equal = (a: Value, ...others: readonly Value[]): boolean => {
  if (others.length === 0) throw new Error('missing argument for comparison');
  return others.some((b) => {
    comparable(a, b);
    return a === b;
  });
};

/** Below 0, 0, above 0. Texts by their code points. */
const order = (a: Value, b: Value): number => {
  comparable(a, b);
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  if (typeof a === 'string' && typeof b === 'string') return Buffer.compare(Buffer.from(a), Buffer.from(b));
  throw new Error('invalid type for comparison');
};

const lengthOf = (value: Value): number => {
  if (typeof value === 'string') return Buffer.byteLength(value);
  if (isMap(value)) return value.size;
  throw new Error(`len of type ${typeOf(value)}`);
};

/** As Go's map: what is not there is empty. */
const index = (map: Value, ...keys: readonly Value[]): Value => {
  const [key, ...more] = keys;
  if (keys.length === 0) return map;
  if (!isMap(map)) throw new Error(`can't index item of type ${typeOf(map)}`);
  if (typeof key !== 'string') throw new Error(`value has type ${typeOf(key)}; should be string`);
  return index(map.get(key) ?? '', ...more);
};

/** Spaces stand between two of which none is a text. */
const print = (...operands: readonly Value[]): string =>
  operands
    .map((each, i) => {
      const before = operands[i - 1];
      return `${i > 0 && typeof each !== 'string' && typeof before !== 'string' ? ' ' : ''}${textOf(each)}`;
    })
    .join('');

/** Verbs, with a width of at most two digits that is padded: more of Go's formats is refused. */
const VERB = /%([-0]?)(\d{0,2})([a-zA-Z%])/g;

const formatted = (verb: string, value: Value): string => {
  if (verb === 'v' || (verb === 's' && typeof value === 'string')) return textOf(value);
  if (verb === 'd' && typeof value === 'number') return String(value);
  if (verb === 't' && typeof value === 'boolean') return String(value);
  if (verb === 'q' && typeof value === 'string') return JSON.stringify(value);
  throw new Error(`printf: %${verb} of type ${typeOf(value)} is not supported`);
};

const printf = (format: Value, ...operands: readonly Value[]): string => {
  if (typeof format !== 'string') throw new Error('printf: the format is no string');
  const left = [...operands];
  const made = format.replace(VERB, (_, flag: string, width: string, verb: string) => {
    if (verb === '%') return '%';
    if (left.length === 0) throw new Error(`printf: %${verb} has no operand`);
    const text = formatted(verb, left.shift());
    return flag === '-' ? text.padEnd(Number(width)) : text.padStart(Number(width), flag === '0' ? '0' : ' ');
  });
  if (left.length > 0) throw new Error('printf: there are more operands than verbs');
  return made;
};

const join = (separator: Value, ...texts: readonly Value[]): string => {
  const all = [separator, ...texts];
  const other = all.find((each) => typeof each !== 'string');
  if (other !== undefined) throw new Error(`join: ${typeOf(other)} is no string`);
  return texts.join(String(separator));
};

export const FUNCTIONS: Readonly<Record<string, TemplateFunction>> = {
  not: (value) => !isTrue(value),
  eq: equal,
  ne: (a, b) => !equal(a, b),
  lt: (a, b) => order(a, b) < 0,
  le: (a, b) => order(a, b) <= 0,
  gt: (a, b) => order(a, b) > 0,
  ge: (a, b) => order(a, b) >= 0,
  len: lengthOf,
  index,
  print,
  println: (...operands) => `${operands.map(textOf).join(' ')}\n`,
  printf,
  join,
};
