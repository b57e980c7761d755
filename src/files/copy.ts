/** From one tree to another, descriptor by descriptor: what a container exchanges in either leads nowhere else. */

import { closeSync, type Stats } from 'node:fs';
import { invalid } from '../errors.js';
import * as call from '../kernel/file-calls.js';
import { createPace, type Pace } from '../pace.js';
import { readAttributes, staysLocal } from './attributes.js';
import { clearWay } from './clear.js';
import { copyContent } from './content.js';
import type { Owner } from './contract.js';
import { dress, type EntryAttributes, type EntryType, type NewEntry, placeEntry } from './place.js';
import { type OpenView, type Spot, viewOf, withDirectory } from './view.js';
import { type Found, walk } from './walk.js';

/** A file that is open, and what it is. */
export interface Opened {
  readonly fd: number;
  readonly stat: Stats;
}

export interface CopyOptions {
  /** whose everything becomes; absent: as it is */
  readonly owner?: Owner;
  /** permissions of everything; absent: as they are */
  readonly mode?: number;
  /** seconds since the epoch, of everything; absent: as it is */
  readonly mtime?: number;
  /** false: it stays behind, and what is below it too. `path`: below the source, a byte string */
  readonly takes?: (path: string, stat: Stats) => boolean;
}

/** Undefined: a socket, which is no file without its owner. */
export const typeOf = (stat: Stats): EntryType | undefined => {
  if (stat.isFile()) return 'file';
  if (stat.isDirectory()) return 'directory';
  if (stat.isSymbolicLink()) return 'symlink';
  if (stat.isFIFO()) return 'fifo';
  if (stat.isCharacterDevice()) return 'character-device';
  return stat.isBlockDevice() ? 'block-device' : undefined;
};

/** gnu_dev_major and gnu_dev_minor of glibc's sys/sysmacros.h */
export const deviceNumbers = (device: number): { readonly major: number; readonly minor: number } => {
  const bits = BigInt(device);
  return {
    major: Number(((bits >> 8n) & 0xfffn) | ((bits >> 32n) & ~0xfffn)),
    minor: Number((bits & 0xffn) | ((bits >> 12n) & 0xffffff00n)),
  };
};

const attributesOf = (fd: number, stat: Stats, options: CopyOptions): EntryAttributes => ({
  mode: options.mode ?? stat.mode & 0o7777,
  uid: options.owner?.uid ?? stat.uid,
  gid: options.owner?.gid ?? stat.gid,
  mtime: options.mtime ?? stat.mtimeMs / 1000,
  attributes: readAttributes(fd, staysLocal),
});

const entryOf = (fd: number, stat: Stats, type: EntryType, options: CopyOptions): NewEntry => ({
  ...attributesOf(fd, stat, options),
  type,
  target: type === 'symlink' ? call.linkTarget(fd) : '',
  ...deviceNumbers(stat.rdev),
});

/** One entry that is no directory's contents; `linked` makes a hard link instead where it can. */
const copyEntry = async (
  source: Opened,
  type: EntryType,
  into: number,
  name: string,
  options: CopyOptions,
  pace: Pace,
): Promise<void> => {
  const entry = entryOf(source.fd, source.stat, type, options);
  const clear = { noOverwriteDirNonDir: false, shown: name };
  if (await clearWay(into, name, type === 'directory', clear, pace)) return;
  await placeEntry(into, name, entry, (fd) => copyContent(source.fd, source.stat.size, fd));
};

/** A single file, link or node, as `name` in the open directory. */
export const copyFile = async (
  source: Opened,
  into: number,
  name: string,
  options: CopyOptions = {},
): Promise<void> => {
  const type = typeOf(source.stat);
  if (!type || type === 'directory') throw invalid('not a file');
  await copyEntry(source, type, into, name, options, createPace());
};

/** A directory of the target that is being filled. */
interface Level {
  readonly fd: number;
  readonly dress: (fd: number) => void;
}

/** First copies of files with several names, as paths below the target. */
type Links = Map<string, string>;

const linkKey = ({ stat }: Found): string | undefined =>
  stat.nlink > 1 && !stat.isDirectory() ? `${stat.dev}:${stat.ino}` : undefined;

const linkTo = (target: number, first: string, directory: number, name: string): void => {
  const slash = first.lastIndexOf('/');
  withDirectory(viewOf(target), first.slice(0, Math.max(0, slash)), (parent) =>
    call.makeLink(parent.fd, first.slice(slash + 1), directory, name),
  );
};

const leave = (levels: Level[], depth: number): void => {
  for (const { fd, dress: finish } of levels.splice(depth).toReversed()) call.closing(fd, finish);
};

/** A directory gets its owner and mode when it is made, its time when it is full. */
const enter = (found: Found, directory: number, options: CopyOptions): Level => {
  const fd = call.openDirectory(directory, found.name);
  const attributes = attributesOf(found.fd, found.stat, options);
  return { fd, dress: (full) => dress(full, attributes, false) };
};

const copyFound = async (
  found: Found,
  type: EntryType,
  target: number,
  directory: number,
  links: Links,
  options: CopyOptions,
  pace: Pace,
): Promise<void> => {
  const key = linkKey(found);
  const first = key === undefined ? undefined : links.get(key);
  if (first === undefined) {
    await copyEntry(found, type, directory, found.name, options, pace);
    if (key !== undefined) links.set(key, found.relative);
    return;
  }
  await clearWay(directory, found.name, false, { noOverwriteDirNonDir: false, shown: found.name }, pace);
  linkTo(target, first, directory, found.name);
};

/** Everything in the directory of the view, into the open directory; what has the same name there is replaced. */
export const copyContents = async (
  view: OpenView,
  from: Spot,
  target: number,
  options: CopyOptions = {},
): Promise<void> => {
  const pace = createPace();
  const links: Links = new Map();
  const levels: Level[] = [];
  const skipped: string[] = [];
  try {
    for await (const found of walk(view, from, pace)) {
      leave(levels, found.depth);
      if (skipped.some((path) => found.relative.startsWith(`${path}/`))) continue;
      const type = typeOf(found.stat);
      if (!type || options.takes?.(found.relative, found.stat) === false) {
        if (type === 'directory') skipped.push(found.relative);
        continue;
      }
      const directory = levels.at(-1)?.fd ?? target;
      await copyFound(found, type, target, directory, links, options, pace);
      if (type === 'directory') levels.push(enter(found, directory, options));
    }
    leave(levels, 0);
  } finally {
    for (const { fd } of levels) closeSync(fd);
  }
};

/** Owner, mode and time of a directory, from one handle to another. */
export const copyAttributes = (from: Opened, to: number, options: CopyOptions = {}): void =>
  dress(to, attributesOf(from.fd, from.stat, options), false);
