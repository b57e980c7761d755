/**
 * The kinds of values that dockerd's settings have: how a flag's text becomes one, how JSON becomes one, and how it is
 * shown. Invariant: both doors give the same value for the same setting, or throw what is wrong with it.
 */

import { ViaductError } from '../errors.js';
import type { SplitPool } from '../ipam/defaults.js';

/** What becomes of a setting that Viaduct knows by name. */
export type Stance<T> =
  | { readonly kind: 'obeyed' }
  /** accepted with a warning, because nothing that a user gets depends on it */
  | { readonly kind: 'ignored'; readonly why: string }
  /** an error unless `harmless` says that this value asks for what happens anyway */
  | { readonly kind: 'refused'; readonly why: string; readonly harmless: (value: T) => boolean };

export interface Kind<T> {
  /** shown in `--help`; empty: the flag needs no value */
  readonly word: string;
  /** `before`: the value of earlier occurrences of the flag */
  readonly fromFlag: (text: string, before: T | undefined) => T;
  readonly fromJson: (value: unknown) => T;
  readonly show: (value: T) => string;
}

export interface Option<T> {
  readonly kind: Kind<T>;
  /** without dashes; empty: daemon.json only */
  readonly flag: string;
  /** one letter or empty */
  readonly short: string;
  /** name in daemon.json */
  readonly key: string;
  readonly help: string;
  readonly stance: Stance<T>;
}

const bad = (message: string): never => {
  throw new ViaductError('invalid', message);
};
const expected = (what: string, value: unknown): never =>
  bad(`expected ${what}, got ${JSON.stringify(value)}`);
const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const asText = (value: unknown): string => (typeof value === 'string' ? value : expected('a string', value));

/** Go's `strconv.ParseBool`, which dockerd reads flags with. */
const TRUTHS: ReadonlyMap<string, boolean> = new Map([
  ...['1', 't', 'T', 'true', 'TRUE', 'True'].map((word) => [word, true] as const),
  ...['0', 'f', 'F', 'false', 'FALSE', 'False'].map((word) => [word, false] as const),
]);

export const switchKind: Kind<boolean> = {
  word: '',
  fromFlag: (text) => TRUTHS.get(text) ?? bad('not a boolean: use true or false'),
  fromJson: (value) => (typeof value === 'boolean' ? value : expected('true or false', value)),
  show: String,
};

export const numberKind: Kind<number> = {
  word: 'int',
  fromFlag: (text) => (/^[+-]?\d{1,15}$/.test(text) ? Number(text) : bad('not a whole number')),
  fromJson: (value) =>
    typeof value === 'number' && Number.isSafeInteger(value) ? value : expected('a whole number', value),
  show: String,
};

export const textKind: Kind<string> = {
  word: 'string',
  fromFlag: (text) => text,
  fromJson: asText,
  show: (value) => value,
};

export const listKind: Kind<readonly string[]> = {
  word: 'list',
  fromFlag: (text, before = []) => [...before, text],
  fromJson: (value) => (Array.isArray(value) ? value.map(asText) : expected('a list of strings', value)),
  show: (value) => `[${value.join(' ')}]`,
};

/** `host-gateway-ips` of one address may be written as a list of one, and the old `host-gateway-ip` as a string. */
export const oneAsListKind: Kind<readonly string[]> = {
  ...listKind,
  fromJson: (value) => (typeof value === 'string' ? [value] : listKind.fromJson(value)),
};

export type TextMap = Readonly<Record<string, string>>;

/** A record without a prototype: user-given keys such as `__proto__` are keys like any other. */
const recordOf = <T>(entries: Iterable<readonly [string, T]>): Record<string, T> => {
  const record: Record<string, T> = Object.create(null);
  for (const [key, value] of entries) record[key] = value;
  return record;
};

const pairOf = (text: string): readonly [string, string] => {
  const at = text.indexOf('=');
  return at > 0 ? [text.slice(0, at), text.slice(at + 1)] : bad('must be a key=value pair');
};

export const mapKind: Kind<TextMap> = {
  word: 'map',
  fromFlag: (text, before = {}) => recordOf([...Object.entries(before), pairOf(text)]),
  fromJson: (value) =>
    isRecord(value)
      ? recordOf(Object.entries(value).map(([key, each]) => [key, asText(each)] as const))
      : expected('an object of strings', value),
  show: (value) =>
    `map[${Object.entries(value)
      .map(([key, each]) => `${key}:${each}`)
      .join(' ')}]`,
};

export type OptionsByDriver = Readonly<Record<string, TextMap>>;

/** `--default-network-opt bridge=com.docker.network.driver.mtu=1400`: driver, then the driver's option. */
export const byDriverKind: Kind<OptionsByDriver> = {
  word: 'mapmap',
  fromFlag: (text, before = {}) => {
    const [driver, rest] = pairOf(text);
    return recordOf([...Object.entries(before), [driver, mapKind.fromFlag(rest, before[driver])]]);
  },
  fromJson: (value) =>
    isRecord(value)
      ? recordOf(Object.entries(value).map(([driver, each]) => [driver, mapKind.fromJson(each)] as const))
      : expected('an object of drivers with their options', value),
  show: (value) => JSON.stringify(value),
};

const poolFromText = (text: string): SplitPool => {
  const fields = new Map(text.toLowerCase().split(',').map(pairOf));
  for (const key of fields.keys()) {
    if (key !== 'base' && key !== 'size') bad(`unexpected key '${key}' in '${text}'`);
  }
  const base = fields.get('base') ?? bad('needs base=CIDR,size=N');
  return { base, size: numberKind.fromFlag(fields.get('size') ?? bad('needs base=CIDR,size=N'), undefined) };
};

export const poolsKind: Kind<readonly SplitPool[]> = {
  word: 'pool-options',
  fromFlag: (text, before = []) => [...before, poolFromText(text)],
  fromJson: (value) =>
    Array.isArray(value)
      ? value.map((each) =>
          isRecord(each)
            ? { base: asText(each.base), size: numberKind.fromJson(each.size) }
            : expected('{"base": CIDR, "size": N}', each),
        )
      : expected('a list of {"base": CIDR, "size": N}', value),
  show: (value) => value.map(({ base, size }) => `${base} ${size}`).join(', '),
};

/** Structures of daemon.json whose inside Viaduct does not read. */
export const opaqueKind: Kind<unknown> = {
  word: 'value',
  fromFlag: (text) => text,
  fromJson: (value) => value,
  show: (value) => JSON.stringify(value),
};
