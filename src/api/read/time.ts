/** Points in time as clients write them: seconds with a fraction, durations before now, RFC 3339. */
import { invalid } from '../../errors.js';

const SECONDS = /^(-?\d{1,12})(?:\.(\d{0,20}))?$/;

/** Nanoseconds since the epoch of `seconds[.fraction]`; undefined for other text. */
export const parseUnixNanoseconds = (text: string): bigint | undefined => {
  const found = SECONDS.exec(text);
  if (found === null) return undefined;
  const fraction = (found[2] ?? '').slice(0, 9).padEnd(9, '0');
  return BigInt(found[1] ?? '0') * 1_000_000_000n + BigInt(fraction);
};

/** `since` and `until` of logs and events: 0n where empty. Throws invalid `invalid value for "…"`. */
export const unixNanoseconds = (text: string, name: string): bigint => {
  if (text === '') return 0n;
  const value = parseUnixNanoseconds(text);
  if (value === undefined) {
    throw invalid(`invalid value for "${name}": invalid timestamp "${text.slice(0, 40)}"`);
  }
  return value;
};

const UNIT_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/** Go's `1h30m`, in milliseconds; undefined for other text. */
export const parseDuration = (text: string): number | undefined => {
  if (text.length > 64 || !/^[+-]?(?:\d+(?:\.\d*)?(?:ns|us|µs|ms|s|m|h))+$/.test(text)) return undefined;
  let total = 0;
  for (const part of text.matchAll(/(\d+(?:\.\d*)?)(ns|us|µs|ms|s|m|h)/g)) {
    total += Number(part[1]) * (UNIT_MS[part[2] ?? ''] ?? 0);
  }
  return text.startsWith('-') ? -total : total;
};

const CALENDAR = /^\d{4}-\d{2}-\d{2}(T\d{2}(:\d{2}(:\d{2}(\.\d{1,9})?)?)?)?(Z|[+-]\d{2}:\d{2})?$/;

/** The `until` of prune filters, in milliseconds since the epoch: a duration before now, seconds, or a date. */
export const parseUntil = (text: string, now: number): number => {
  const duration = parseDuration(text);
  if (duration !== undefined) return now - duration;
  const seconds = parseUnixNanoseconds(text);
  if (seconds !== undefined) return Number(seconds / 1_000_000n);
  const date = CALENDAR.test(text) ? Date.parse(complete(text)) : Number.NaN;
  if (Number.isNaN(date)) {
    throw invalid(`failed to parse value as time or duration: "${text.slice(0, 40)}"`);
  }
  return date;
};

/** JavaScript reads hours only with minutes. */
const complete = (text: string): string => text.replace(/T(\d{2})(?=$|Z|[+-])/, 'T$1:00');

/** Milliseconds of an RFC 3339 text of the model; 0 for Go's zero time. */
export const milliseconds = (rfc3339: string): number => {
  const value = Date.parse(rfc3339);
  return Number.isNaN(value) || value < 0 ? 0 : value;
};
