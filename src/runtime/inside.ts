/**
 * Paths inside a container's root, opened with openat2(RESOLVE_IN_ROOT): symbolic links, `..` and races with the
 * container's own processes never lead out of it, nor through /proc's magic links.
 */
import { closeSync, fstatSync, mkdirSync, readFileSync, readlinkSync, readSync } from 'node:fs';
import * as ffi from '../kernel/ffi.js';

const RULES = ffi.RESOLVE.IN_ROOT | ffi.RESOLVE.NO_MAGICLINKS;
/** O_DIRECTORY and O_NOFOLLOW of `include/uapi/asm-generic/fcntl.h` (x86-64); arm64 swaps them with others. */
const O_DIRECTORY = process.arch === 'arm64' ? 0o40000 : 0o200000;
const O_NOFOLLOW = process.arch === 'arm64' ? 0o100000 : 0o400000;

export const descriptorPath = (fd: number): string => `/proc/self/fd/${fd}`;

/** Opens `path` inside `root` for `work`, and closes it. `follow`: a symbolic link at the end is followed. */
export const withInside = <T>(
  root: string,
  path: string,
  options: { readonly follow?: boolean; readonly directory?: boolean; readonly flags?: number },
  work: (fd: number) => T,
): T => {
  const top = ffi.open(root, ffi.O.PATH | O_DIRECTORY);
  try {
    const flags =
      (options.flags ?? ffi.O.PATH) |
      (options.follow === false ? O_NOFOLLOW : 0) |
      (options.directory ? O_DIRECTORY : 0);
    const fd = ffi.openat2(top, path === '' ? '/' : path, flags, RULES);
    try {
      return work(fd);
    } finally {
      closeSync(fd);
    }
  } finally {
    closeSync(top);
  }
};

/** The path relative to `root` (with a leading slash) to which `path` leads, links followed. Throws as openat2 does. */
export const resolveInside = (root: string, path: string): string => {
  const base = withInside(root, '/', {}, (fd) => readlinkSync(descriptorPath(fd)));
  const found = withInside(root, path, {}, (fd) => readlinkSync(descriptorPath(fd)));
  return found === base
    ? '/'
    : found.startsWith(base === '/' ? '/' : `${base}/`)
      ? found.slice(base === '/' ? 0 : base.length)
      : '/';
};

/** Text of a small regular file; empty where it is absent, no file, or over `limit` bytes. */
export const readInside = (root: string, path: string, limit = 1 << 20): string => {
  try {
    return withInside(root, path, { flags: ffi.O.RDONLY | ffi.O.NONBLOCK }, (fd) => {
      const stat = fstatSync(fd);
      if (!stat.isFile() || stat.size > limit) return '';
      return stat.size > 0 ? readAll(fd, stat.size) : readFileSync(fd, 'utf8');
    });
  } catch {
    return '';
  }
};

const readAll = (fd: number, size: number): string => {
  const buffer = Buffer.alloc(size);
  return buffer.toString('utf8', 0, readSync(fd, buffer, 0, size, 0));
};

/** Makes the directories of `path` that are missing (mode 0755, root's), each inside the root. */
export const makeDirectoriesInside = (root: string, path: string): void => {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  for (let depth = 1; depth <= parts.length; depth++) {
    const parent = `/${parts.slice(0, depth - 1).join('/')}`;
    const name = parts[depth - 1];
    if (name === undefined || name === '..') continue;
    withInside(root, parent, { directory: true }, (fd) => {
      try {
        mkdirSync(`${descriptorPath(fd)}/${name}`, 0o755);
      } catch (error) {
        if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
      }
    });
  }
};
