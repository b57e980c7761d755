/** The lmdb file: opened for root only, and told apart from one that was damaged before lmdb touches it. */
import { chmodSync, existsSync, renameSync } from 'node:fs';
import { open, type RootDatabase } from 'lmdb';
import { looksWhole, PAGE } from './pages.js';

export type Database = RootDatabase<unknown, string>;

export const openDatabase = (path: string): Database =>
  forRootOnly(path, () =>
    open<unknown, string>({ path, noSubdir: true, encoding: 'json', pageSize: PAGE, maxReaders: 16 }),
  );

/** Containers' environments hold secrets: neither the file nor its lock is for others to read. */
const forRootOnly = <T>(path: string, make: () => T): T => {
  const mask = process.umask(0o077);
  try {
    return make();
  } finally {
    process.umask(mask);
    for (const made of [path, `${path}-lock`]) if (existsSync(made)) chmodSync(made, 0o600);
  }
};

export interface Contents {
  readonly db: Database;
  /** all that is in it */
  readonly entries: readonly { readonly key: string; readonly value: unknown }[];
}

/** Opens the database and reads it to its end; undefined where there is none, or it cannot be read. */
export const openWhole = (path: string): Contents | undefined => {
  if (!existsSync(path) || !looksWhole(path)) return undefined;
  try {
    const db = openDatabase(path);
    return { db, entries: [...db.getRange({})] };
  } catch {
    return undefined;
  }
};

/** Answers the path under which it lies now. */
export const setAside = (path: string): string => {
  const aside = `${path}.unreadable-${new Date().toISOString().replace(/[:.]/g, '-')}`;
  renameSync(path, aside);
  if (existsSync(`${path}-lock`)) renameSync(`${path}-lock`, `${aside}-lock`);
  return aside;
};
