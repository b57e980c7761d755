/**
 * A second copy of the database beside it, some seconds behind: what a damaged one is replaced by, so that containers
 * that run on are still known. lmdb makes it on another thread, from one moment; it takes its place by a rename.
 */
import { copyFileSync, existsSync, constants as files, statSync } from 'node:fs';
import { chmod, open, rename, rm } from 'node:fs/promises';
import { type Database, openWhole } from './database.js';

/** At the most so long after a change the copy has it. */
const BEHIND_MS = 5_000;

const copyOf = (path: string): string => `${path}-copy`;

/** Where there is no database but a copy of one, puts that in its place. Answers when it was made (RFC 3339). */
export const restoreCopy = (path: string): string | undefined => {
  const copy = copyOf(path);
  const whole = existsSync(path) ? undefined : openWhole(copy);
  if (!whole) return undefined;
  void whole.db.close();
  copyFileSync(copy, path, files.COPYFILE_EXCL);
  return statSync(copy).mtime.toISOString();
};

/** Behind a rename comes what is on the disk, or a power cut leaves an empty file under the good name. */
const onDisk = async (path: string): Promise<void> => {
  const file = await open(path, 'r+');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
};

const makeCopy = async (db: Database, path: string): Promise<void> => {
  const fresh = `${copyOf(path)}.new`;
  await rm(fresh, { force: true });
  await db.backup(fresh, false);
  await chmod(fresh, 0o600);
  await onDisk(fresh);
  await rename(fresh, copyOf(path));
};

export interface Copy {
  /** The database has changed. */
  soon(): void;
  /** Resolves when the copy has all. Before the database is closed. */
  close(): Promise<void>;
}

export const keepCopy = (db: Database, path: string, warn: (message: string) => void): Copy => {
  let timer: NodeJS.Timeout | undefined;
  let making = Promise.resolve();
  const make = (): Promise<void> => {
    timer = undefined;
    making = making
      .then(() => makeCopy(db, path))
      .catch((error: unknown) => warn(`the copy of the records is old: ${String(error)}`));
    return making;
  };
  return {
    soon: () => {
      timer ??= setTimeout(() => void make(), BEHIND_MS).unref();
    },
    close: async () => {
      clearTimeout(timer);
      await (timer === undefined ? making : make());
    },
  };
};
