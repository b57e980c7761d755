/**
 * Namespaces, entered synchronously: setns, work, setns back. The callback's type forbids promises, because anything
 * asynchronous would run in whichever namespace the thread is in at that moment.
 */

import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmSync,
  statfsSync,
  statSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { attempt, internal } from '../errors.js';
import * as ffi from './ffi.js';
import { closing } from './file-calls.js';

type NotPromise<T> = T extends Promise<unknown> ? never : T;

/** The namespace this process was started in; opened once, at first use. */
let home = -1;
const homeNamespace = (): number => {
  if (home < 0) home = ffi.open('/proc/self/ns/net', ffi.O.RDONLY);
  return home;
};

/** Where the thread is: a visit of the place one is in costs nothing. */
let here = 'host';
/** An open descriptor of it; the home namespace's is kept for good. */
let hereFd = -1;

/** Runs `work` inside the namespace at `path` (`host`: the one the process was started in). Never asynchronous. */
export const inNamespace = <T>(path: string, work: () => NotPromise<T>): NotPromise<T> => {
  if (path === here) return work();
  const before = here;
  const back = before === 'host' ? homeNamespace() : hereFd;
  const fd = path === 'host' ? homeNamespace() : ffi.open(path, ffi.O.RDONLY);
  try {
    ffi.setns(fd, ffi.CLONE.NEWNET);
    [here, hereFd] = [path, fd];
    try {
      return work();
    } finally {
      ffi.setns(back, ffi.CLONE.NEWNET);
      [here, hereFd] = [before, back];
    }
  } finally {
    if (path !== 'host') ffi.close(fd);
  }
};

/** `NSFS_MAGIC` of `include/uapi/linux/magic.h`. */
const NSFS_MAGIC = 0x6e736673;

/** True where a namespace is bound at `path`; false for a file that a crash left, and for none. */
export const isNamespace = (path: string): boolean =>
  attempt(() => statfsSync(path).type === NSFS_MAGIC) ?? false;

/** Sets IFF_UP on `lo` by `struct ifreq` (`include/uapi/linux/if.h`). */
const raiseLoopback = (): void => {
  const SIOCSIFFLAGS = 0x8914;
  const request = Buffer.alloc(40);
  request.write('lo');
  request.writeInt16LE(1, 16);
  closing(ffi.socket(ffi.AF.INET, ffi.SOCK.DGRAM), (fd) => ffi.ioctl(fd, SIOCSIFFLAGS, request));
};

/** A file at `path` for `bind` to bind a namespace at; nothing is left of either where that fails. */
const binding = (path: string, bind: () => void): void => {
  mkdirSync(dirname(path), { recursive: true, mode: 0o711 });
  closeSync(openSync(path, 'a', 0o444));
  try {
    bind();
  } catch (error) {
    removeNamespace(path);
    throw error;
  }
};

/**
 * Makes a namespace, raises its `lo` and binds it at `path`; `work` runs in it before we leave (0.31 ms). A namespace
 * that is there already stays. Throws SystemError, and then leaves nothing behind.
 */
export const createNamespace = (path: string, work: () => void = () => {}): void => {
  if (isNamespace(path)) return;
  const back = homeNamespace();
  binding(path, () => {
    ffi.unshare(ffi.CLONE.NEWNET);
    try {
      ffi.mount('/proc/thread-self/ns/net', path, 'bind', ffi.MS.BIND, '');
      raiseLoopback();
      work();
    } finally {
      ffi.setns(back, ffi.CLONE.NEWNET);
    }
  });
};

/**
 * Binds the namespace of a process at `path`. Never our own: the process may have ended and another have its number. Throws
 * SystemError, and then leaves nothing behind.
 */
export const rebindNamespace = (path: string, pid: number): void => {
  binding(path, () => {
    ffi.mount(`/proc/${pid}/ns/net`, path, 'bind', ffi.MS.BIND, '');
    if (namespaceIdentity(path) === namespaceIdentity('/proc/self/ns/net'))
      throw internal(`process ${pid} stands in the daemon's own network namespace`);
  });
};

/** Unbinds and unlinks (0.05 ms). The kernel takes it apart, with its links, once no process and socket is in it. */
export const removeNamespace = (path: string): void => {
  while (isNamespace(path)) ffi.umount(path);
  rmSync(path, { force: true });
};

/** Device and inode of a namespace file: equal for the same namespace. */
export const namespaceIdentity = (path: string): string => {
  const s = statSync(path);
  return `${s.dev}:${s.ino}`;
};

/**
 * Removes the files in `directory` that a daemon left which was killed before it had bound a namespace there. Whatever is
 * bound stays, and so does what `wanted` names: that is made anew in its place.
 */
export const sweepNamespaceFiles = (directory: string, wanted: ReadonlySet<string>): void => {
  if (!existsSync(directory)) return;
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isFile() && !wanted.has(path) && !isNamespace(path)) rmSync(path, { force: true });
  }
};
