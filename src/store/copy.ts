/**
 * Second copies of the database: what a damaged one is replaced by, so that containers that run on are still known. One lies
 * beside it, some seconds behind; one in memory (the exec root), where what runs is known a second after it changed, whatever
 * happens to the disk. lmdb makes a copy on another thread, from one moment; it takes its place by a rename.
 */
import { existsSync, statSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { type Database, readDatabase } from './database.js';
import type { Values } from './values.js';

export interface CopyPlace {
  readonly path: string;
  /** at the most so long after a change the copy has it */
  readonly behindMs: number;
}

export interface FoundCopy {
  readonly values: Values;
  /** when it was made, RFC 3339 */
  readonly made: string;
  readonly path: string;
}

/** The whole ones. */
export const findCopies = (places: readonly CopyPlace[]): readonly FoundCopy[] =>
  places.flatMap(({ path }) => {
    const values = readDatabase(path);
    if (!values || 'damage' in values) return [];
    return [{ values, made: statSync(path).mtime.toISOString(), path }];
  });

/** Behind a rename comes what is on the disk, or a power cut leaves an empty file under the good name. */
const onDisk = async (path: string): Promise<void> => {
  const file = await open(path, 'r+');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
};

const makeCopy = async (database: Database, path: string): Promise<void> => {
  const fresh = `${path}.new`;
  await rm(fresh, { force: true });
  await database.backup(fresh);
  await onDisk(fresh);
  await rename(fresh, path);
};

export interface Copy {
  /** The database has changed. */
  soon(): void;
  /** Resolves when the copy has all. Before the database is closed. */
  close(): Promise<void>;
}

export const keepCopy = (
  database: Database,
  { path, behindMs }: CopyPlace,
  warn: (message: string) => void,
): Copy => {
  let timer: NodeJS.Timeout | undefined;
  let making = Promise.resolve();
  const make = (): Promise<void> => {
    timer = undefined;
    making = making
      .then(() => makeCopy(database, path))
      .catch((error: unknown) => warn(`the copy of the records is old: ${String(error)}`));
    return making;
  };
  const soon = (): void => {
    timer ??= setTimeout(() => void make(), behindMs).unref();
  };
  if (!existsSync(path)) soon();
  return {
    soon,
    close: async () => {
      clearTimeout(timer);
      await (timer === undefined ? making : make());
    },
  };
};
