/**
 * What steps of builds made: one small file a step, named by everything its result depends on, holding the configuration of
 * the image it led to. Invariant: a file promises nothing. Whoever reads one looks whether the layers it names are in the
 * storage; so an image that is removed takes what was built on it out of the cache.
 */

import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { replaceFile, textIfThere } from '../small-files.js';
import type { BuildStep } from './contract.js';

/** Keys sorted, so that two ways of arriving at a configuration are one. */
const stable = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(stable);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, each]) => each !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, each]) => [key, stable(each)]),
  );
};

/**
 * `words` have the instruction with its variables put in, and the checksums of the files it copies; the configuration
 * has what every earlier build argument has come to.
 */
export const cacheKey = (parentId: string, { words, config }: BuildStep): string =>
  createHash('sha256')
    .update(JSON.stringify([parentId, words, stable(config)]))
    .digest('hex');

/** Files kept; a cleaning takes the oldest away. */
const MOST = 5_000;

export interface BuildCache {
  /** The configuration's text. */
  read(key: string): string | undefined;
  write(key: string, text: string): void;
  /** Takes away what is too much. */
  trim(): void;
  /** Takes everything away; answers the bytes. */
  clear(): number;
}

export const openBuildCache = (directory: string): BuildCache => {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const at = (name: string) => join(directory, name);
  return {
    read: (key) => textIfThere(at(key)),
    write: (key, text) => replaceFile(at(key), text),
    trim() {
      const names = readdirSync(directory);
      if (names.length <= MOST) return;
      const dated = names.map((name) => ({ name, time: statSync(at(name)).mtimeMs }));
      dated.sort((a, b) => b.time - a.time);
      for (const { name } of dated.slice(MOST / 2)) rmSync(at(name), { force: true });
    },
    clear() {
      let bytes = 0;
      for (const name of readdirSync(directory)) {
        bytes += statSync(at(name)).size;
        rmSync(at(name), { force: true });
      }
      return bytes;
    },
  };
};
