/** What `docker cp` wants to know of a path in a container before it copies. */

import { closeSync, constants as fs, fstatSync, type Stats } from 'node:fs';
import { posix } from 'node:path';
import { ENOTDIR } from '../errno.js';
import { attempt, internal, invalid, notFound } from '../errors.js';
import { SystemError } from '../kernel/ffi.js';
import * as call from '../kernel/file-calls.js';
import type { FileView, PathStat } from './contract.js';
import { fromText, type OpenView, resolve, type Spot, toText, withSpot, withView } from './view.js';

/** Go's os.FileMode bits (`io/fs`), by the file type bits of stat(2). */
const GO_TYPES: Readonly<Record<number, number>> = {
  [fs.S_IFDIR]: 0x80000000,
  [fs.S_IFLNK]: 0x08000000,
  [fs.S_IFIFO]: 0x02000000,
  [fs.S_IFSOCK]: 0x01000000,
  [fs.S_IFBLK]: 0x04000000,
  [fs.S_IFCHR]: 0x04000000 | 0x00200000,
};
const GO_SETUID = 0x00800000;
const GO_SETGID = 0x00400000;
const GO_STICKY = 0x00100000;

/** Unsigned: the directory bit is the 32nd. */
const goMode = (mode: number): number =>
  ((GO_TYPES[mode & fs.S_IFMT] ?? 0) |
    (mode & 0o777) |
    (mode & 0o4000 ? GO_SETUID : 0) |
    (mode & 0o2000 ? GO_SETGID : 0) |
    (mode & 0o1000 ? GO_STICKY : 0)) >>>
  0;

/** A path as the user gave it. */
export interface AskedPath {
  /** absolute and normalised, a byte string */
  readonly path: string;
  /** last component; empty for the root itself */
  readonly name: string;
  /** a trailing `/` or `/.` means what is behind a link, and that it is a directory */
  readonly behindLink: boolean;
  /** `/.`: the contents of a directory */
  readonly contents: boolean;
}

export const askedPath = (text: string): AskedPath => {
  if (text.includes('\0')) throw invalid('invalid path: contains a NUL');
  const contents = /(^|\/)\.$/.test(text);
  // Not normalised by text alone: behind a link, `..` is another directory.
  const path = fromText(text);
  return {
    path,
    name: posix.basename(posix.resolve('/', path)),
    behindLink: contents || text.endsWith('/'),
    contents,
  };
};

/** What the kernel or this room refuses, in the words of Docker's API. */
export const pathError = (view: FileView, path: string, error: unknown): Error => {
  if (!(error instanceof SystemError)) return error instanceof Error ? error : new Error(String(error));
  switch (error.code) {
    case 'ENOENT':
      return notFound(`Could not find the file ${path} in container ${view.name}`, error);
    case 'ENOTDIR':
      return internal(`${path}: not a directory`, error);
    case 'ELOOP':
      return internal(`${path}: too many levels of symbolic links`, error);
    case 'ENAMETOOLONG':
      return invalid(`${path.slice(0, 256)}: file name too long`, error);
    case 'EROFS':
      return invalid(`${path}: read-only file system`, error);
    default:
      return internal(error.message, error);
  }
};

/** What the path means, open. Throws SystemError. */
export const resolveAsked = (
  view: OpenView,
  asked: AskedPath,
): { readonly spot: Spot; readonly stat: Stats } => {
  const spot = resolve(view, asked.path, { follow: asked.behindLink });
  const stat = fstatSync(spot.fd);
  if (!asked.behindLink || stat.isDirectory()) return { spot, stat };
  closeSync(spot.fd);
  throw new SystemError('resolve', ENOTDIR, toText(asked.path));
};

/** Where a link leads, as an absolute path in the container; one that leads nowhere as it is written. */
const targetOf = (view: OpenView, asked: AskedPath, spot: Spot): string =>
  attempt(() => withSpot(view, asked.path, ({ path }) => toText(path || '/'))) ??
  toText(posix.resolve('/', posix.dirname(spot.path), call.linkTarget(spot.fd)));

export const describe = (
  view: OpenView,
  asked: AskedPath,
  { spot, stat }: ReturnType<typeof resolveAsked>,
): PathStat => ({
  name: asked.name === '' ? '/' : toText(asked.name),
  size: stat.size,
  mode: goMode(stat.mode),
  mtime: stat.mtime.toISOString(),
  linkTarget: stat.isSymbolicLink() ? targetOf(view, asked, spot) : '',
});

/** Throws not-found. */
export const statPath = (fileView: FileView, path: string): PathStat => {
  const asked = askedPath(path);
  try {
    return withView(fileView, (view) => {
      const found = resolveAsked(view, asked);
      return call.closing(found.spot.fd, () => describe(view, asked, found));
    });
  } catch (error) {
    throw pathError(fileView, path, error);
  }
};
