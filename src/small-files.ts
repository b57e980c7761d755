/** Small files, read and replaced whole: of /proc and /sys, where not every kernel has each, and of our own. */

import { readFileSync, renameSync, writeFileSync } from 'node:fs';
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
