/** What `docker cp` wants to know of a path in a container before it copies. */
import { constants as fs, fstatSync, lstatSync, readlinkSync, type Stats } from 'node:fs';
import { posix } from 'node:path';
import { invalid, notFound } from '../../errors.js';
import { SystemError } from '../../kernel/ffi.js';
import type { PathStat } from '../contract.js';
import { descriptorPath, resolveInside, withInside } from '../inside.js';

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
export const goMode = (mode: number): number =>
  ((GO_TYPES[mode & fs.S_IFMT] ?? 0) |
    (mode & 0o777) |
    (mode & 0o4000 ? GO_SETUID : 0) |
    (mode & 0o2000 ? GO_SETGID : 0) |
    (mode & 0o1000 ? GO_STICKY : 0)) >>>
  0;

/** A path as the user gave it, split for the file system: a trailing `/` or `/.` means what is behind a link. */
export interface SplitPath {
  readonly parent: string;
  /** empty for the root itself */
  readonly name: string;
  readonly behindLink: boolean;
  /** `/.`: the contents of a directory */
  readonly contents: boolean;
}

export const splitPath = (path: string): SplitPath => {
  if (path.includes('\0')) throw invalid('invalid path: contains a NUL');
  const contents = /(^|\/)\.$/.test(path);
  const clean = posix.resolve('/', path);
  return {
    parent: posix.dirname(clean),
    name: posix.basename(clean),
    behindLink: contents || path.endsWith('/'),
    contents,
  };
};

/** openat2's refusals in the words of Docker's API. */
export const pathError = (path: string, error: unknown): Error => {
  if (error instanceof SystemError && ['ENOENT', 'ENOTDIR', 'ELOOP'].includes(error.code))
    return notFound(`Could not find the file ${path} in container`, error);
  return error instanceof Error ? error : new Error(String(error));
};

const statIn = (root: string, path: string, split: SplitPath): Stats =>
  split.behindLink || split.name === ''
    ? withInside(root, path, {}, (fd) => fstatSync(fd))
    : withInside(root, split.parent, { directory: true }, (fd) =>
        lstatSync(`${descriptorPath(fd)}/${split.name}`),
      );

/** Where a link leads, as an absolute path in the container; one that leads nowhere as it is written. */
const targetOf = (root: string, path: string, split: SplitPath): string => {
  try {
    return resolveInside(root, path);
  } catch {
    return withInside(root, split.parent, { directory: true }, (fd) =>
      posix.resolve(split.parent, readlinkSync(`${descriptorPath(fd)}/${split.name}`)),
    );
  }
};

/** Throws not-found. */
export const statPath = (root: string, path: string): PathStat => {
  const split = splitPath(path);
  try {
    const stat = statIn(root, path, split);
    return {
      name: split.name === '' ? '/' : split.name,
      size: stat.size,
      mode: goMode(stat.mode),
      mtime: stat.mtime.toISOString(),
      linkTarget: stat.isSymbolicLink() ? targetOf(root, path, split) : '',
    };
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT')
      throw notFound(`Could not find the file ${path} in container`, error);
    throw pathError(path, error);
  }
};
