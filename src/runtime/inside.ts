/**
 * Paths inside a container's root, opened with openat2(RESOLVE_IN_ROOT): symbolic links, `..` and races with the
 * container's own processes never lead out of it, nor through /proc's magic links.
 */

import { constants, fstatSync, openSync, readFileSync, readSync } from 'node:fs';
import { attempt } from '../errors.js';
import * as ffi from '../kernel/ffi.js';
import { closing, descriptorPath } from '../kernel/file-calls.js';

const RULES = ffi.RESOLVE.IN_ROOT | ffi.RESOLVE.NO_MAGICLINKS;
const { O_DIRECTORY, O_NOFOLLOW } = constants;

export { descriptorPath };

/** Opens `path` inside `root` for `work`, and closes it. `follow`: a symbolic link at the end is followed. */
export const withInside = <T>(
  root: string,
  path: string,
  options: { readonly follow?: boolean; readonly directory?: boolean; readonly flags?: number },
  work: (fd: number) => T,
): T => {
  const flags =
    (options.flags ?? ffi.O.PATH) |
    (options.follow === false ? O_NOFOLLOW : 0) |
    (options.directory ? O_DIRECTORY : 0);
  return closing(ffi.open(root, ffi.O.PATH | O_DIRECTORY), (top) =>
    closing(ffi.openat2(top, path === '' ? '/' : path, flags, RULES), work),
  );
};

/** Text of a small regular file; empty where it is absent, no file, or over `limit` bytes. */
export const readInside = (root: string, path: string, limit = 1 << 20): string =>
  attempt(() =>
    withInside(root, path, {}, (handle) => {
      const stat = fstatSync(handle);
      // What is no file is not even opened: a device or FIFO could notice, or wait.
      if (!stat.isFile() || stat.size > limit) return '';
      return stat.size > 0 ? readAll(handle, stat.size) : readFileSync(descriptorPath(handle), 'utf8');
    }),
  ) ?? '';

const readAll = (handle: number, size: number): string => {
  const buffer = Buffer.alloc(size);
  return closing(openSync(descriptorPath(handle), 'r'), (fd) =>
    buffer.toString('utf8', 0, readSync(fd, buffer, 0, size, 0)),
  );
};
