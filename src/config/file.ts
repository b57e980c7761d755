/** daemon.json: its text becomes settings. Pure; unknown keys, wrong types and settings given twice are errors. */
import { messageOf, ViaductError } from '../errors.js';
import type { Option } from './kinds.js';
import { ALL_OPTIONS, type OptionName, type Settings } from './options.js';

const fail = (message: string): never => {
  throw new ViaductError('invalid', message);
};

/** moby's former name for `host-gateway-ips`. */
const FORMER_KEYS: Readonly<Record<string, string>> = { 'host-gateway-ip': 'host-gateway-ips' };

const jsonObject = (text: string): Readonly<Record<string, unknown>> => {
  const trimmed = text.replace(/^\uFEFF/, '').trim();
  if (trimmed === '') return {};
  let value: unknown;
  try {
    value = JSON.parse(trimmed);
  } catch (cause) {
    return fail(`invalid JSON: ${messageOf(cause)}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return fail('invalid JSON: expected an object');
  return value as Readonly<Record<string, unknown>>; // just checked
};

const byKey: ReadonlyMap<string, readonly [OptionName, Option<unknown>]> = new Map(
  [...ALL_OPTIONS].map(([name, option]) => [option.key, [name, option]]),
);

const understand = (key: string, option: Option<unknown>, value: unknown): unknown => {
  try {
    return option.kind.fromJson(value);
  } catch (cause) {
    return fail(`invalid value for "${key}": ${messageOf(cause)}`);
  }
};

export const parseFile = (text: string): Settings => {
  const object = jsonObject(text);
  const unknown = Object.keys(object).filter((key) => !byKey.has(FORMER_KEYS[key] ?? key));
  if (unknown.length > 0)
    fail(`the following directives don't match any configuration option: ${unknown.join(', ')}`);
  const settings: { [Name in OptionName]?: unknown } = {};
  for (const [key, value] of Object.entries(object)) {
    const current = FORMER_KEYS[key] ?? key;
    if (current !== key && Object.hasOwn(object, current)) {
      fail(`${key} and ${current} must not both be specified in the config file`);
    }
    const entry = byKey.get(current);
    if (entry) settings[entry[0]] = understand(key, entry[1], value);
  }
  return settings as Settings; // each value was made by its own option's kind
};

/** dockerd's rule: a setting stands in one place. Throws naming each that stands in both. */
export const checkConflicts = (flags: Settings, file: Settings): void => {
  const conflicts = [...ALL_OPTIONS].flatMap(([name, { key, kind }]) =>
    flags[name] !== undefined && file[name] !== undefined
      ? [`${key}: (from flag: ${kind.show(flags[name])}, from file: ${kind.show(file[name])})`]
      : [],
  );
  if (conflicts.length > 0) {
    fail(
      `the following directives are specified both as a flag and in the configuration file: ${conflicts.join(', ')}`,
    );
  }
};
