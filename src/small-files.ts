/** Small files, read and replaced whole: of /proc and /sys, where not every kernel has each, and of our own. */

import { type BigIntStats, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { ifThere } from './errno.js';
import { attempt } from './errors.js';

/** Undefined where there is no such file. */
export const textIfThere = (path: string): string | undefined => ifThere(() => readFileSync(path, 'utf8'));

/** Empty where it cannot be read, for whatever reason. */
export const textOrNone = (path: string): string => attempt(() => readFileSync(path, 'utf8')) ?? '';

/** Root's alone. It holds the whole text or the former one, also where the daemon is killed here. */
export const replaceFile = (path: string, text: string): void => {
  writeFileSync(`${path}.new`, text, { mode: 0o600 });
  renameSync(`${path}.new`, path);
};

interface Kept {
  readonly of: string;
  readonly text: string;
}

const kept = new Map<string, Kept>();
/** Nanoseconds: within one tick of the kernel's clock a file can change twice and look the same. */
const TICKS = 50_000_000n;

const stateOf = ({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string =>
  [dev, ino, size, mtimeNs, ctimeNs].join();

/**
 * The same of a file that is asked for again and again and seldom changes: read anew when it was changed or replaced. To look takes a
 * fifth of the time.
 */
export const unchangedText = (path: string): string => {
  const found = attempt(() => statSync(path, { bigint: true }));
  if (found === undefined) return '';
  const [of, before] = [stateOf(found), kept.get(path)];
  if (before?.of === of) return before.text;
  const text = textOrNone(path);
  const age = BigInt(Date.now()) * 1_000_000n - found.ctimeNs;
  if (age > TICKS) kept.set(path, { of, text });
  return text;
};
