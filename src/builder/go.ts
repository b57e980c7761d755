/** Go's ways of writing things, where Docker's texts show them: quoted lists, durations. Pure. */
import { invalid } from '../errors.js';

/** `%q` of a list of strings. */
export const quotedList = (words: readonly string[]): string =>
  `[${words.map((word) => JSON.stringify(word)).join(' ')}]`;

/** `%v` of a list. */
export const plainList = (words: readonly string[]): string => `[${words.join(' ')}]`;

const NANOSECONDS: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};
const PART = /(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)/g;

/** `1m30s` → nanoseconds. Throws invalid. */
export const parseDuration = (text: string): number => {
  const bare = text.replace(/^[+-]/, '');
  if (bare === '0') return 0;
  if (bare.length > 40 || bare.replace(PART, '') !== '' || bare === '')
    throw invalid(`time: invalid duration ${JSON.stringify(text)}`);
  const sum = [...bare.matchAll(PART)].reduce(
    (total, [, number = '', unit = '']) => total + Number(number) * (NANOSECONDS[unit] ?? 0),
    0,
  );
  return text.startsWith('-') ? -sum : Math.round(sum);
};

/** `time.Duration.String()` of whole milliseconds. */
export const showDuration = (nanoseconds: number): string => {
  if (nanoseconds === 0) return '0s';
  if (nanoseconds < 1e9) return `${nanoseconds / 1e6}ms`;
  const seconds = nanoseconds / 1e9;
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60)];
  const rest = `${Number((seconds % 60).toFixed(9))}s`;
  if (hours > 0) return `${hours}h${minutes}m${rest}`;
  return minutes > 0 ? `${minutes}m${rest}` : rest;
};
