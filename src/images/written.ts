/**
 * The files that a container wrote: its upper layer, gone through by descriptors beside the layers below it, so that
 * a container that exchanges its directories for links meanwhile leads nowhere else. overlayfs marks a deletion by a
 * character device 0/0 and a replaced directory by the attribute `trusted.overlay.opaque`
 * (Documentation/filesystems/overlayfs.rst). Redirects do not occur: roots are mounted with them off.
 */

import { closeSync, constants as fs, fstatSync, type Stats } from 'node:fs';
import { ENAMETOOLONG, ifThere } from '../errno.js';
import { sortedNames } from '../files/sorted.js';
import { MOST_LEVELS, namesIn } from '../files/walk.js';
import * as ffi from '../kernel/ffi.js';
import * as call from '../kernel/file-calls.js';
import type { Pace } from '../pace.js';

/** Directories of lower layers that together show as one, open, topmost first. */
export type Lower = readonly number[];

/** A directory of the upper layer, open, and what shows below it. */
export interface Level {
  readonly upper: number;
  readonly lower: Lower;
  /** it hides all that is below */
  readonly opaque: boolean;
}

/** An entry of the upper layer; descriptors are open for the consumer's turn alone. Names are byte strings. */
export interface Written {
  readonly fd: number;
  readonly stat: Stats;
  readonly name: string;
  /** of the directory it is in, from the layer's root: empty or with a slash at the end */
  readonly parent: string;
  readonly path: string;
  /** the layers below its directory */
  readonly lower: Lower;
  /** of a directory: itself */
  readonly inside?: Level;
}

/** `rdev` 0: a device that exists nowhere else. */
export const isWhiteout = (stat: Stats): boolean => stat.isCharacterDevice() && stat.rdev === 0;

const isOpaque = (directory: number): boolean =>
  call.attribute(directory, 'trusted.overlay.opaque')?.toString() === 'y';

/** The entry in the merged view of the lower layers; undefined where they show none. */
export const seenBelow = (lower: Lower, name: string): Stats | undefined => {
  for (const directory of lower) {
    const stat = call.statAt(directory, name);
    if (stat) return isWhiteout(stat) ? undefined : stat;
  }
  return undefined;
};

/** Names that the lower layers show, in no order. */
export async function* namesBelow(lower: Lower, pace: Pace): AsyncGenerator<string> {
  const seen = new Set<string>();
  for (const directory of lower)
    for await (const name of namesIn(directory, pace)) {
      if (!seen.has(name) && seenBelow(lower, name)) yield name;
      seen.add(name);
    }
}

const closeAll = (descriptors: Lower): void => {
  for (const fd of descriptors) closeSync(fd);
};

/** The lower directories that show through at `name`: down to the first that is no directory or is opaque. */
const descend = (lower: Lower, name: string): Lower => {
  const found: number[] = [];
  try {
    for (const directory of lower) {
      const stat = call.statAt(directory, name);
      if (!stat) continue;
      if (!stat.isDirectory()) break;
      const fd = call.openDirectory(directory, name);
      found.push(fd);
      if (isOpaque(fd)) break;
    }
    return found;
  } catch (error) {
    closeAll(found);
    throw error;
  }
};

/** A directory on the way down, and what is left of its names. */
interface Step extends Level {
  readonly parent: string;
  /** last first */
  readonly names: string[];
}

const stepInto = async (level: Level, parent: string, depth: number, pace: Pace): Promise<Step> => {
  if (depth > MOST_LEVELS) throw new ffi.SystemError('walk', ENAMETOOLONG, `more than ${MOST_LEVELS} levels`);
  const names = [...(await sortedNames(namesIn(level.upper, pace), pace))].reverse();
  return { ...level, parent, names };
};

const openWritten = ({ upper, lower, parent }: Step, name: string): Written | undefined => {
  const fd = ifThere(() => call.openHandle(upper, name));
  if (fd === undefined) return undefined; // it went meanwhile
  try {
    const stat = fstatSync(fd);
    const written = { fd, stat, name, parent, path: parent + name, lower };
    if (!stat.isDirectory()) return written;
    return { ...written, inside: { upper: fd, opaque: isOpaque(fd), lower: descend(lower, name) } };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
};

const leave = (open: Written[]): void => {
  const left = open.pop();
  if (left) closeAll([left.fd, ...(left.inside?.lower ?? [])]);
};

/** One generator for all levels: handed through one a level, each entry would cost as much as its depth. */
async function* below(root: Level, pace: Pace): AsyncGenerator<Written> {
  const open: Written[] = [];
  const steps: Step[] = [await stepInto(root, '', 0, pace)];
  try {
    for (let step = steps.at(-1); step; step = steps.at(-1)) {
      if (pace.due()) await pace.rest();
      const name = step.names.pop();
      if (name === undefined) {
        steps.pop();
        leave(open);
        continue;
      }
      const written = openWritten(step, name);
      if (!written) continue;
      open.push(written);
      yield written;
      if (written.inside) steps.push(await stepInto(written.inside, `${written.path}/`, open.length, pace));
      else leave(open);
    }
  } finally {
    while (open.length > 0) leave(open);
  }
}

/**
 * Directories before what is in them, names sorted. `upper` and `lower` (topmost first) are directories of the host. Throws
 * SystemError.
 */
export async function* writtenIn(
  upper: string,
  lower: readonly string[],
  pace: Pace,
): AsyncGenerator<Written> {
  const open: number[] = [];
  try {
    for (const path of [upper, ...lower]) open.push(ffi.open(path, ffi.O.PATH | fs.O_DIRECTORY));
    const [top = -1, ...others] = open;
    yield* below({ upper: top, lower: others, opaque: false }, pace);
  } finally {
    closeAll(open);
  }
}
