/** Filters, in both forms clients send them: `{"name":{"x":true}}` and `{"name":["x"]}`. */
import { invalid } from '../../errors.js';
import { compilePattern } from './pattern.js';
import { parseUntil } from './time.js';

export interface Filters {
  has(key: string): boolean;
  /** the values asked for, in the order given; empty where the key is missing */
  get(key: string): readonly string[];
  /** true where the key is missing or one of its values is the text */
  exact(key: string, text: string): boolean;
  /** like `exact`, or one of the values as a regular expression matches */
  match(key: string, ...texts: readonly string[]): boolean;
  /** like `exact`, or the text begins with one of the values */
  prefix(key: string, text: string): boolean;
  /** true where every `key` or `key=value` asked for is among the labels */
  labels(key: string, labels: Readonly<Record<string, string>>): boolean;
  /** undefined where missing. Throws invalid for anything but 0, 1, true, false (or both). */
  boolean(key: string): boolean | undefined;
}

/** Throws invalid for text that is neither form, and for keys that are not accepted. */
export const parseFilters = (text: string, accepted: readonly string[]): Filters => {
  const values = text === '' ? new Map<string, readonly string[]>() : decode(text);
  for (const key of values.keys()) {
    if (!accepted.includes(key)) throw invalid(`invalid filter '${key.slice(0, 100)}'`);
  }
  return createFilters(values);
};

const decode = (text: string): Map<string, readonly string[]> => {
  const parsed = parse(text);
  if (parsed === null) return new Map();
  if (typeof parsed !== 'object' || Array.isArray(parsed)) throw invalid('invalid filter');
  return new Map(Object.entries(parsed).map(([key, value]) => [key, valuesOf(value)]));
};

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw invalid('invalid filter', cause);
  }
};

const valuesOf = (value: unknown): readonly string[] => {
  if (value === null) return [];
  if (Array.isArray(value) && value.every((each) => typeof each === 'string')) return value;
  if (typeof value !== 'object' || Array.isArray(value)) throw invalid('invalid filter');
  // A key counts whatever its boolean says, but it must be a boolean.
  if (Object.values(value).some((each) => typeof each !== 'boolean')) throw invalid('invalid filter');
  return Object.keys(value);
};

const createFilters = (values: ReadonlyMap<string, readonly string[]>): Filters => {
  const get = (key: string): readonly string[] => values.get(key) ?? [];
  const exact = (key: string, text: string): boolean => get(key).length === 0 || get(key).includes(text);
  const compiled = new Map<string, ReturnType<typeof compilePattern>>();
  const pattern = (source: string): ReturnType<typeof compilePattern> => {
    if (!compiled.has(source)) compiled.set(source, compilePattern(source));
    return compiled.get(source);
  };
  return {
    has: (key) => values.has(key),
    get,
    exact,
    match: (key, ...texts) =>
      texts.some((text) => exact(key, text) || get(key).some((source) => pattern(source)?.(text) === true)),
    prefix: (key, text) => exact(key, text) || get(key).some((value) => text.startsWith(value)),
    labels: (key, labels) => get(key).every((wanted) => hasLabel(labels, wanted)),
    boolean(key) {
      if (!values.has(key)) return undefined;
      const yes = get(key).some((value) => value === '1' || value === 'true');
      const no = get(key).some((value) => value === '0' || value === 'false');
      if (yes === no) throw invalid(`invalid filter '${key}=[${get(key).join(' ').slice(0, 100)}]'`);
      return yes;
    },
  };
};

const hasLabel = (labels: Readonly<Record<string, string>>, wanted: string): boolean => {
  const equals = wanted.indexOf('=');
  const key = equals < 0 ? wanted : wanted.slice(0, equals);
  if (!Object.hasOwn(labels, key)) return false;
  return equals < 0 || labels[key] === wanted.slice(equals + 1);
};

/** The two label filters of every prune. */
export const pruneLabels = (filters: Filters, labels: Readonly<Record<string, string>>): boolean =>
  filters.labels('label', labels) && !(filters.has('label!') && filters.labels('label!', labels));

/** Milliseconds since the epoch; infinite where the filter is missing. */
export const readUntil = (filters: Filters): number => {
  const values = filters.get('until');
  if (values.length > 1) throw invalid('more than one until filter specified');
  return values[0] === undefined ? Number.POSITIVE_INFINITY : parseUntil(values[0], Date.now());
};
