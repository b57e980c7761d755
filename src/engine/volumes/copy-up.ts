/**
 * A new volume begins with what the image has at its mount point, as in Docker. Invariants: nothing is copied into a
 * volume that has anything in it; a symbolic link in the image never leads out of the container's root.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, readdirSync, statSync } from 'node:fs';
import * as ffi from '../../kernel/ffi.js';

const O_DIRECTORY = 0o200000; // include/uapi/asm-generic/fcntl.h

/** Opens a directory below `root` as the container would see it; undefined: it is not there, or no directory. */
const openInside = (root: string, path: string): number | undefined => {
  const directory = ffi.open(root, ffi.O.PATH | O_DIRECTORY);
  try {
    return ffi.openat2(
      directory,
      path.replace(/^\/+/, '') || '.',
      ffi.O.RDONLY | O_DIRECTORY,
      ffi.RESOLVE.IN_ROOT,
    );
  } catch (error) {
    if (error instanceof ffi.SystemError && ['ENOENT', 'ENOTDIR', 'ELOOP'].includes(error.code))
      return undefined;
    throw error;
  } finally {
    ffi.close(directory);
  }
};

/** `rootfs`: the container's mounted root; `path`: the mount point inside; `volume`: the volume's directory. */
export const copyUp = (rootfs: string, path: string, volume: string): void => {
  if (readdirSync(volume).length > 0) return;
  const fd = openInside(rootfs, path);
  if (fd === undefined) return;
  try {
    const source = `/proc/${process.pid}/fd/${fd}/`;
    if (readdirSync(source).length > 0) {
      // Owners, modes, times, extended attributes, links and devices: what cp has known for decades.
      execFileSync('cp', ['--archive', '--reflink=auto', `${source}.`, volume], {
        stdio: ['ignore', 'ignore', 'pipe'],
      });
    }
    const { uid, gid, mode } = statSync(source);
    chownSync(volume, uid, gid);
    chmodSync(volume, mode & 0o7777);
  } finally {
    ffi.close(fd);
  }
};
