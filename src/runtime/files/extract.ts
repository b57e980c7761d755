/**
 * A tar stream laid out below a directory of a container. Every entry is placed through a descriptor of its own parent,
 * opened inside the root: neither the archive's names nor links in the container, nor both together, reach outside.
 */
import {
  chmodSync,
  createWriteStream,
  fchmodSync,
  fchownSync,
  constants as fs,
  lchownSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  rmSync,
  type Stats,
  symlinkSync,
} from 'node:fs';
import { posix } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Header, extract as tarExtract } from 'tar-stream';
import { invalid } from '../../errors.js';
import * as ffi from '../../kernel/ffi.js';
import { descriptorPath, makeDirectoriesInside, resolveInside, withInside } from '../inside.js';
import { decompressed } from './decompress.js';
import { pathError } from './path-stat.js';

export interface ExtractOptions {
  /** refuse to replace a directory by a file, or a file by a directory */
  readonly noOverwriteDirNonDir: boolean;
  readonly copyUidGid: boolean;
}

/** The data of one entry: streamx's Readable, of which this much is Node's too. */
interface EntryData extends AsyncIterable<Uint8Array> {
  resume(): unknown;
}

/** S_IFCHR, S_IFBLK, S_IFIFO of `include/uapi/linux/stat.h` */
const NODE_TYPES = { 'character-device': 0o020000, 'block-device': 0o060000, fifo: 0o010000 } as const;

const makedev = (major: number, minor: number): bigint => {
  const [a, b] = [BigInt(major), BigInt(minor)];
  return ((a & 0xfffn) << 8n) | (b & 0xffn) | ((b & ~0xffn) << 12n) | ((a & ~0xfffn) << 32n);
};

/** What stands in the way is removed, but for a directory that stays one. True: a directory is there already. */
const clear = (path: string, entry: Header, options: ExtractOptions): boolean => {
  const there: Stats | undefined = lstatSync(path, { throwIfNoEntry: false });
  if (!there) return false;
  const [isDirectory, becomes] = [there.isDirectory(), entry.type === 'directory'];
  if (isDirectory && becomes) return true;
  if (options.noOverwriteDirNonDir && isDirectory && !becomes)
    throw invalid(`cannot overwrite directory ${JSON.stringify(entry.name)} with non-directory`);
  if (options.noOverwriteDirNonDir && !isDirectory && becomes)
    throw invalid(`cannot overwrite non-directory ${JSON.stringify(entry.name)} with directory`);
  rmSync(path, { recursive: true, force: true });
  return false;
};

const writeFile = async (path: string, entry: Header, data: EntryData): Promise<void> => {
  const fd = openSync(path, fs.O_WRONLY | fs.O_CREAT | fs.O_EXCL | fs.O_NOFOLLOW, 0o600);
  // chown clears set-uid bits: the mode comes last.
  fchownSync(fd, entry.uid, entry.gid);
  fchmodSync(fd, entry.mode & 0o7777);
  await pipeline(data, createWriteStream('', { fd, autoClose: true }));
};

const hardLink = (root: string, base: string, target: string, path: string): void => {
  const full = posix.resolve('/', base, posix.join('/', target).slice(1));
  withInside(root, posix.dirname(full), { directory: true }, (fd) =>
    linkSync(`${descriptorPath(fd)}/${posix.basename(full)}`, path),
  );
};

const finish = (path: string, entry: Header): void => {
  if (entry.type === 'link') return;
  if (entry.type !== 'file' && entry.type !== 'contiguous-file') {
    lchownSync(path, entry.uid, entry.gid);
    if (entry.type !== 'symlink') chmodSync(path, entry.mode & 0o7777);
  }
  if (entry.mtime) lutimesSync(path, entry.mtime, entry.mtime);
};

interface Place {
  readonly root: string;
  /** the directory to extract into, links resolved, as a path in the container */
  readonly base: string;
  readonly options: ExtractOptions;
}

const placeEntry = async (place: Place, entry: Header, data: EntryData): Promise<void> => {
  const name = posix.join('/', entry.name).slice(1).replace(/\/$/, '');
  if (name === '') return void data.resume();
  const parent = posix.join(place.base, posix.dirname(name));
  makeDirectoriesInside(place.root, parent);
  // Held open while the file's data arrive: nothing that happens to the path meanwhile matters.
  const fd = withInside(place.root, parent, { directory: true }, (inner) =>
    ffi.open(descriptorPath(inner), ffi.O.PATH),
  );
  try {
    const path = `${descriptorPath(fd)}/${posix.basename(name)}`;
    const keeps = clear(path, entry, place.options);
    await makeEntry(place, entry, path, keeps, data);
    finish(path, entry);
  } finally {
    ffi.close(fd);
  }
};

const makeEntry = async (
  place: Place,
  entry: Header,
  path: string,
  keeps: boolean,
  data: EntryData,
): Promise<void> => {
  switch (entry.type) {
    case 'directory':
      if (!keeps) mkdirSync(path, 0o755);
      break;
    case 'symlink':
      symlinkSync(entry.linkname, path);
      break;
    case 'link':
      hardLink(place.root, place.base, entry.linkname, path);
      break;
    case 'character-device':
    case 'block-device':
    case 'fifo':
      ffi.mknod(
        path,
        NODE_TYPES[entry.type] | (entry.mode & 0o7777),
        makedev(entry.devmajor, entry.devminor),
      );
      break;
    default:
      return writeFile(path, entry, data);
  }
  data.resume();
};

/** Throws not-found where `path` is absent, invalid where it is no directory or the stream is no archive. */
export const extractTar = async (
  root: string,
  path: string,
  tar: Readable,
  options: ExtractOptions,
): Promise<void> => {
  let base: string;
  try {
    base = resolveInside(root, path);
    withInside(root, base, { directory: true }, () => {});
  } catch (error) {
    if (error instanceof ffi.SystemError && error.code === 'ENOTDIR')
      throw invalid('extraction point is not a directory', error);
    throw pathError(path, error);
  }
  const entries = tarExtract();
  const source = await decompressed(tar);
  source.once('error', (error) => entries.destroy(error));
  source.pipe(entries);
  try {
    // streamx's Readable, whose types do not name its iterator.
    for await (const entry of entries)
      await placeEntry({ root, base, options }, entry.header, entry as unknown as EntryData);
  } catch (error) {
    if (error instanceof Error && /tar header|Unexpected end/.test(error.message))
      throw invalid(`unexpected content in the archive: ${error.message}`, error);
    throw error;
  }
};
