/** Replacing a small file so that a crash at any moment leaves the old text or the new one, whole. */

import { fsyncSync, openSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { closing } from '../../kernel/file-calls.js';

const sync = (path: string): void => closing(openSync(path, 'r'), fsyncSync);

export const writeDurably = (path: string, text: string): void => {
  const draft = `${path}.new`;
  writeFileSync(draft, text, { mode: 0o600, flush: true });
  renameSync(draft, path);
  sync(dirname(path)); // the rename itself is in the directory
};
