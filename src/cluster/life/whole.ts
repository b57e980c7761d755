/** Writes files that root alone may read, so that a crash leaves the old content or the new one, never a part. */
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

/** It is on the disk when this returns; its directory is made, where there is none. */
export const writeWhole = (path: string, text: string): void => {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const fresh = `${path}.new`;
  synced(openSync(fresh, 'w', 0o600), (file) => writeFileSync(file, text));
  renameSync(fresh, path);
  synced(openSync(dirname(path), 'r'), () => {}); // its name, too
};

const synced = (file: number, write: (file: number) => void): void => {
  try {
    write(file);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
};

export const readText = (path: string): string | undefined => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
};
