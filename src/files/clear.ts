/**
 * Clears the way for a new file or directory: what stands in its place is removed, or kept where both are
 * directories.
 */

import { invalid } from '../errors.js';
import { statAt } from '../kernel/file-calls.js';
import type { Pace } from '../pace.js';
import { removeAt } from './remove.js';
import { toText } from './view.js';

export interface ClearOptions {
  readonly noOverwriteDirNonDir: boolean;
  /** how a refusal names it */
  readonly shown: string;
}

/** Removes it, but for a directory that stays one. True: a directory is there. Throws invalid where that is refused. */
export const clearWay = async (
  directory: number,
  name: string,
  becomesDirectory: boolean,
  options: ClearOptions,
  pace: Pace,
): Promise<boolean> => {
  const there = statAt(directory, name);
  if (!there) return false;
  const isDirectory = there.isDirectory();
  if (isDirectory && becomesDirectory) return true;
  const shown = JSON.stringify(toText(options.shown));
  if (options.noOverwriteDirNonDir && isDirectory)
    throw invalid(`cannot overwrite directory ${shown} with non-directory`);
  if (options.noOverwriteDirNonDir && becomesDirectory)
    throw invalid(`cannot overwrite non-directory ${shown} with directory`);
  await removeAt(directory, name, pace);
  return false;
};
