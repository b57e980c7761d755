/** Streams laid down as files and directories for the tools that want those; every one is removed again. */
import { randomBytes } from 'node:crypto';
import { createWriteStream, mkdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Trash } from '../kernel/trash.js';
import type { Storage } from './storage.js';

/** Runs `work` with a fresh directory, removed afterwards whatever happens. */
export const inScratch = async <T>(storage: Storage, work: (directory: string) => Promise<T>): Promise<T> => {
  const directory = freshScratch(storage);
  try {
    return await work(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
};

/** For what outlives one call (a stream being read); the caller removes it. */
export const freshScratch = (storage: Storage): string => {
  const directory = join(storage.temporary, randomBytes(8).toString('hex'));
  mkdirSync(directory, { mode: 0o700 });
  return directory;
};

export const spool = (from: Readable, file: string): Promise<void> =>
  pipeline(from, createWriteStream(file, { mode: 0o600 }));

/** What an earlier daemon left, a whole build's files perhaps, goes in the background. */
export const emptyScratch = (storage: Storage, trash: Trash): void => {
  trash.sweep(dirname(storage.temporary));
  trash.remove(storage.temporary);
  mkdirSync(storage.temporary, { mode: 0o711 });
};
