/** Removal of a whole tree through descriptors: no link is followed, and no mount entered. */
import { EISDIR, ENAMETOOLONG, ENOENT, ENOTEMPTY, failedWith } from '../errno.js';
import * as ffi from '../kernel/ffi.js';
import * as call from '../kernel/file-calls.js';
import type { Pace } from '../pace.js';
import { MOST_LEVELS, namesIn } from './walk.js';

/** Times a directory into which somebody goes on writing is emptied. */
const ROUNDS = 16;

/** False: `work` was refused so. What is gone already is well. */
const unless = async (refusal: number, work: () => void | Promise<void>): Promise<boolean> => {
  try {
    await work();
  } catch (error) {
    if (failedWith(error, refusal)) return false;
    if (!failedWith(error, ENOENT)) throw error;
  }
  return true;
};

const empty = async (directory: number, pace: Pace, depth: number): Promise<void> => {
  if (depth > MOST_LEVELS)
    throw new ffi.SystemError('remove', ENAMETOOLONG, `more than ${MOST_LEVELS} levels`);
  for await (const name of namesIn(directory, pace)) await removeAt(directory, name, pace, depth + 1);
};

/**
 * Removes what has the name in the open directory, whatever it is; nothing there is well. Throws SystemError: EXDEV or
 * EBUSY where something is mounted on it or below, ENOTEMPTY where somebody keeps writing into it.
 */
export const removeAt = async (parent: number, name: string, pace: Pace, depth = 0): Promise<void> => {
  for (let round = 0; round < ROUNDS; round++) {
    if (await unless(EISDIR, () => call.unlink(parent, name))) return;
    // Something may come into the directory meanwhile.
    const removed = await unless(ENOTEMPTY, async () => {
      await call.closing(call.openUnmounted(parent, name), (directory) => empty(directory, pace, depth));
      call.removeDirectory(parent, name);
    });
    if (removed) return;
  }
  throw new ffi.SystemError('remove', ENOTEMPTY, name);
};
