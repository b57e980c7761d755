/**
 * One new entry in an open directory: made under its name, then held by a descriptor, through which owner, attributes,
 * mode and time are set. So even where its name is exchanged for another a moment later, nothing else is changed.
 */
import { chmodSync, chownSync, closeSync, constants as fs, fstatSync, utimesSync } from 'node:fs';
import { internal } from '../errors.js';
import * as call from '../kernel/file-calls.js';
import { descriptorPath } from '../kernel/file-calls.js';
import { type Attributes, writeAttributes } from './attributes.js';

/** By the names that tar's types have. */
export type EntryType = 'file' | 'directory' | 'symlink' | 'character-device' | 'block-device' | 'fifo';

export interface EntryAttributes {
  /** permissions alone */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** seconds since the epoch */
  readonly mtime: number;
  readonly attributes: Attributes;
}

export interface NewEntry extends EntryAttributes {
  readonly type: EntryType;
  /** of a symlink, a byte string */
  readonly target: string;
  /** of a device */
  readonly major: number;
  readonly minor: number;
}

const TYPES: Readonly<Record<EntryType, number>> = {
  file: fs.S_IFREG,
  directory: fs.S_IFDIR,
  symlink: fs.S_IFLNK,
  'character-device': fs.S_IFCHR,
  'block-device': fs.S_IFBLK,
  fifo: fs.S_IFIFO,
};

/** makedev(3) of glibc */
const makedev = (major: number, minor: number): bigint => {
  const [a, b] = [BigInt(major), BigInt(minor)];
  return ((a & 0xfffn) << 8n) | (b & 0xffn) | ((b & ~0xffn) << 12n) | ((a & ~0xfffn) << 32n);
};

/** What the handle is of gets owner, attributes, mode and time. chown clears set-uid bits and capabilities: it comes first. */
export const dress = (fd: number, entry: EntryAttributes, isLink: boolean): void => {
  const path = descriptorPath(fd);
  chownSync(path, entry.uid, entry.gid);
  if (!isLink) chmodSync(path, entry.mode & 0o7777);
  writeAttributes(fd, entry.attributes);
  utimesSync(path, entry.mtime, entry.mtime);
};

const makeOther = (directory: number, name: string, entry: NewEntry): void => {
  const mode = TYPES[entry.type] | 0o600;
  if (entry.type === 'directory') call.makeDirectory(directory, name, 0o700);
  else if (entry.type === 'symlink') call.makeSymlink(entry.target, directory, name);
  else call.makeNode(directory, name, mode, makedev(entry.major, entry.minor));
};

/** The handle of what was made; throws where another took its name. */
const openMade = (directory: number, name: string, type: EntryType): number => {
  const fd = call.openHandle(directory, name);
  if ((fstatSync(fd).mode & fs.S_IFMT) === TYPES[type]) return fd;
  closeSync(fd);
  throw internal(`${name} was exchanged while it was made`);
};

/** `write` fills a regular file. Throws EEXIST where the name is taken. */
export const placeEntry = async (
  directory: number,
  name: string,
  entry: NewEntry,
  write: (fd: number) => Promise<void>,
): Promise<void> => {
  if (entry.type !== 'file') makeOther(directory, name, entry);
  const fd = entry.type === 'file' ? call.createFile(directory, name) : openMade(directory, name, entry.type);
  await call.closing(fd, async () => {
    if (entry.type === 'file') await write(fd);
    dress(fd, entry, entry.type === 'symlink');
  });
};
