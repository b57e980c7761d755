/** Removal of a whole tree through descriptors: no link is followed, and no mount entered. */
import { EISDIR, ENAMETOOLONG, ENOENT, ENOTEMPTY, failedWith } from '../errno.js';
import * as ffi from '../kernel/ffi.js';
import * as call from '../kernel/file-calls.js';
import type { Pace } from './pace.js';
import { MOST_LEVELS, namesIn } from './walk.js';

/** Times a directory into which somebody goes on writing is emptied. */
const ROUNDS = 16;

/** False: it is a directory. What is gone already is well. */
const unlinked = (parent: number, name: string): boolean => {
  try {
    call.unlink(parent, name);
  } catch (error) {
    if (failedWith(error, EISDIR)) return false;
    if (!failedWith(error, ENOENT)) throw error;
  }
  return true;
};

const empty = async (directory: number, pace: Pace, depth: number): Promise<void> => {
  if (depth > MOST_LEVELS)
    throw new ffi.SystemError('remove', ENAMETOOLONG, `more than ${MOST_LEVELS} levels`);
  for await (const name of namesIn(directory, pace)) await removeAt(directory, name, pace, depth + 1);
};

/** False: something came into it meanwhile. */
const directoryRemoved = async (
  parent: number,
  name: string,
  pace: Pace,
  depth: number,
): Promise<boolean> => {
  try {
    await call.closing(call.openUnmounted(parent, name), (directory) => empty(directory, pace, depth));
    call.removeDirectory(parent, name);
  } catch (error) {
    if (failedWith(error, ENOTEMPTY)) return false;
    if (!failedWith(error, ENOENT)) throw error;
  }
  return true;
};

/**
 * Removes what has the name in the open directory, whatever it is; nothing there is well. Throws SystemError: EXDEV or
 * EBUSY where something is mounted on it or below, ENOTEMPTY where somebody keeps writing into it.
 */
export const removeAt = async (parent: number, name: string, pace: Pace, depth = 0): Promise<void> => {
  for (let round = 0; round < ROUNDS; round++) {
    if (unlinked(parent, name)) return;
    if (await directoryRemoved(parent, name, pace, depth)) return;
  }
  throw new ffi.SystemError('remove', ENOTEMPTY, name);
};
