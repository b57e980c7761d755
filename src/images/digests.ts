/** What `repository@sha256:…` is known of which image: learned by pulls and pushes, kept in one small file, replaced whole. */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { Digests } from './catalogue.js';
import type { Storage } from './storage.js';

const read = (storage: Storage): Digests => {
  try {
    return JSON.parse(readFileSync(storage.digests, 'utf8')) as Digests;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw error;
  }
};

const write = (storage: Storage, digests: Digests): void => {
  const next = `${storage.digests}.new`;
  writeFileSync(next, JSON.stringify(digests));
  renameSync(next, storage.digests);
};

export const learnDigest = (storage: Storage, name: string, imageId: string): void =>
  write(storage, { ...read(storage), [name]: imageId });

export const forgetDigests = (storage: Storage, names: readonly string[]): void => {
  if (names.length === 0) return;
  const kept = Object.entries(read(storage)).filter(([name]) => !names.includes(name));
  write(storage, Object.fromEntries(kept));
};
