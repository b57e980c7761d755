/** What a tree takes, while others may write in it. */

import { constants as fs } from 'node:fs';
import * as ffi from '../kernel/ffi.js';
import { closing } from '../kernel/file-calls.js';
import { createPace } from '../pace.js';
import { viewOf } from './view.js';
import { walk } from './walk.js';

const sum = async (root: number): Promise<number> => {
  const seen = new Set<string>();
  const pace = createPace();
  let bytes = 0;
  for await (const { stat } of walk(viewOf(root), { fd: root, path: '' }, pace)) {
    if (pace.due()) await pace.rest();
    const key = stat.nlink > 1 ? `${stat.dev}:${stat.ino}` : '';
    if (stat.isDirectory() || seen.has(key)) continue;
    if (key !== '') seen.add(key);
    bytes += stat.size;
  }
  return bytes;
};

/**
 * Bytes of the files below a directory of the host, hard links counted once, symbolic links not followed. Undefined where it
 * is not there, or cannot be followed to its ends (more than a thousand levels).
 */
export const bytesBelow = async (directory: string): Promise<number | undefined> => {
  try {
    return await closing(ffi.open(directory, ffi.O.PATH | fs.O_DIRECTORY), sum);
  } catch (error) {
    if (error instanceof ffi.SystemError) return undefined;
    throw error;
  }
};
