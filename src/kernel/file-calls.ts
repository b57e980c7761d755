/**
 * Files named by an open directory and one component: the `…at` calls of `man 2`. A component is never empty, `.`, `..`
 * nor has a slash, so no call here can walk; a symbolic link at the end is never followed. Names are byte strings (one
 * character a byte, Latin-1): file names on Linux are bytes, and not all are UTF-8.
 */
import { closeSync, constants, lstatSync, type Stats } from 'node:fs';
import * as ffi from './ffi.js';

const c = {
  openat: ffi.declare('int openat(int directory, const void *name, int flags, uint32_t mode)'),
  mkdirat: ffi.declare('int mkdirat(int directory, const void *name, uint32_t mode)'),
  symlinkat: ffi.declare('int symlinkat(const void *target, int directory, const void *name)'),
  linkat: ffi.declare('int linkat(int from, const void *name, int to, const void *newName, int flags)'),
  mknodat: ffi.declare('int mknodat(int directory, const void *name, uint32_t mode, uint64_t device)'),
  unlinkat: ffi.declare('int unlinkat(int directory, const void *name, int flags)'),
  readlinkat: ffi.declare('intptr_t readlinkat(int fd, const void *name, void *target, size_t size)'),
  setxattr: ffi.declare(
    'int setxattr(const char *path, const void *name, const void *value, size_t size, int flags)',
  ),
  getxattr: ffi.declare('intptr_t getxattr(const char *path, const void *name, void *value, size_t size)'),
  listxattr: ffi.declare('intptr_t listxattr(const char *path, void *names, size_t size)'),
};

const { O_DIRECTORY, O_NOFOLLOW, O_WRONLY, O_CREAT, O_EXCL } = constants;

/** Where the kernel shows a descriptor as a path: leads to the very inode, whatever became of its name. */
export const descriptorPath = (fd: number): string => `/proc/self/fd/${fd}`;

/** Closes the descriptor when `work`, which may be asynchronous, is done, however that ends. `close`: of asynchronous work. */
export const closing = <T>(
  fd: number,
  work: (fd: number) => T,
  close: (fd: number) => void = closeSync,
): T => {
  let later = false;
  try {
    const result = work(fd);
    later = result instanceof Promise;
    return later ? ((result as Promise<unknown>).finally(() => close(fd)) as T) : result;
  } finally {
    if (!later) closeSync(fd);
  }
};

const bytes = (text: string): Buffer => Buffer.from(`${text}\0`, 'latin1');

const component = (name: string): Buffer => {
  if (name === '' || name === '.' || name === '..' || /[/\0]/.test(name))
    throw new ffi.SystemError('name', 22, JSON.stringify(name));
  return bytes(name);
};

const shown = (name: string) => (): string => Buffer.from(name, 'latin1').toString();

/** A handle that reads and writes nothing: of a symbolic link itself, of a FIFO or device without opening it. */
export const openHandle = (directory: number, name: string): number =>
  ffi.checked(
    'openat',
    c.openat(directory, component(name), ffi.O.PATH | O_NOFOLLOW | ffi.O.CLOEXEC, 0),
    shown(name),
  );

/** What the name is in the directory at this moment, without opening it; undefined: nothing. */
export const statAt = (directory: number, name: string): Stats | undefined => {
  component(name);
  return lstatSync(Buffer.from(`${descriptorPath(directory)}/${name}`, 'latin1'), { throwIfNoEntry: false });
};

/** As openHandle, of a directory alone. */
export const openDirectory = (directory: number, name: string): number =>
  ffi.checked(
    'openat',
    c.openat(directory, component(name), ffi.O.PATH | O_NOFOLLOW | O_DIRECTORY | ffi.O.CLOEXEC, 0),
    shown(name),
  );

/** As openDirectory; throws EXDEV where something is mounted on it. */
export const openUnmounted = (directory: number, name: string): number => {
  component(name);
  return ffi.openat2(
    directory,
    bytes(name),
    ffi.O.PATH | O_NOFOLLOW | O_DIRECTORY,
    ffi.RESOLVE.NO_XDEV | ffi.RESOLVE.NO_SYMLINKS,
  );
};

/** A new, empty regular file for writing, root's alone. Throws EEXIST where anything has the name. */
export const createFile = (directory: number, name: string): number =>
  ffi.checked(
    'create',
    c.openat(directory, component(name), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | ffi.O.CLOEXEC, 0o600),
    shown(name),
  );

export const makeDirectory = (directory: number, name: string, mode: number): void =>
  void ffi.checked('mkdir', c.mkdirat(directory, component(name), mode), shown(name));
export const makeSymlink = (target: string, directory: number, name: string): void =>
  void ffi.checked('symlink', c.symlinkat(bytes(target), directory, component(name)), shown(name));
export const makeLink = (from: number, name: string, directory: number, newName: string): void =>
  void ffi.checked('link', c.linkat(from, component(name), directory, component(newName), 0), shown(newName));
/** `mode` with its S_IFMT bits; `device` as makedev(3) encodes it. */
export const makeNode = (directory: number, name: string, mode: number, device: bigint): void =>
  void ffi.checked('mknod', c.mknodat(directory, component(name), mode, device), shown(name));

const AT_REMOVEDIR = 0x200; // include/uapi/linux/fcntl.h
export const unlink = (directory: number, name: string): void =>
  void ffi.checked('unlink', c.unlinkat(directory, component(name), 0), shown(name));
export const removeDirectory = (directory: number, name: string): void =>
  void ffi.checked('rmdir', c.unlinkat(directory, component(name), AT_REMOVEDIR), shown(name));

const PATH_MAX = 4096; // include/uapi/linux/limits.h
/** Where the symbolic link leads that the handle is of. */
export const linkTarget = (handle: number): string => {
  const target = Buffer.alloc(PATH_MAX);
  const length = ffi.checked('readlink', Number(c.readlinkat(handle, bytes(''), target, target.length)));
  return target.toString('latin1', 0, length);
};

/** Of the inode that the handle is of, also a symbolic link's. Throws EOPNOTSUPP, EPERM… */
export const setAttribute = (handle: number, name: string, value: Buffer): void =>
  void ffi.checked('setxattr', c.setxattr(descriptorPath(handle), bytes(name), value, value.length, 0), name);

const XATTR_MAX = 65536; // XATTR_SIZE_MAX and XATTR_LIST_MAX, include/uapi/linux/limits.h
const scratch = Buffer.alloc(XATTR_MAX);

/** Names of the extended attributes; none where the file system has no such thing. */
export const attributeNames = (handle: number): readonly string[] => {
  const length = Number(c.listxattr(descriptorPath(handle), scratch, scratch.length));
  return length <= 0 ? [] : scratch.toString('latin1', 0, length - 1).split('\0');
};

/** Undefined where it has none of that name, or it cannot be read. */
export const attribute = (handle: number, name: string): Buffer | undefined => {
  const length = Number(c.getxattr(descriptorPath(handle), bytes(name), scratch, scratch.length));
  return length < 0 ? undefined : Buffer.from(scratch.subarray(0, length));
};
