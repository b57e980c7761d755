/** A file that is open as its part of a tar. Only regular files are opened for reading, after their kind was seen. */
import * as call from '../kernel/file-calls.js';
import { readAttributes } from './attributes.js';
import { isSmall, readContent, readSmall } from './content.js';
import { deviceNumbers, type Opened, typeOf } from './copy.js';
import type { TarEntry } from './tar/read.js';
import { END, headerOf, padded } from './tar/write.js';

/** Small pieces are sent together. */
const CHUNK = 64 * 1024;

/** The first name in the archive of files with several. */
export type Links = Map<string, string>;

/** `wanted`: names of extended attributes. Undefined: a socket, which no tar can hold. */
export const entryOf = (
  { fd, stat }: Opened,
  name: string,
  links: Links,
  wanted: (attribute: string) => boolean,
): TarEntry | undefined => {
  const type = typeOf(stat);
  if (!type) return undefined;
  const key = stat.nlink > 1 && type !== 'directory' ? `${stat.dev}:${stat.ino}` : undefined;
  const first = key === undefined ? undefined : links.get(key);
  if (key !== undefined && first === undefined) links.set(key, name);
  return {
    name: type === 'directory' ? `${name}/` : name,
    type: first === undefined ? type : 'link',
    mode: stat.mode & 0o7777,
    uid: stat.uid,
    gid: stat.gid,
    size: type === 'file' && first === undefined ? stat.size : 0,
    mtime: stat.mtimeMs / 1000,
    linkname: first ?? (type === 'symlink' ? call.linkTarget(fd) : ''),
    ...deviceNumbers(stat.rdev),
    attributes: first === undefined ? readAttributes(fd, wanted) : new Map(),
  };
};

/** The entry, and the bytes of the file that the handle is of. */
export async function* packed(entry: TarEntry, handle: number): AsyncGenerator<Buffer> {
  const { size } = entry;
  if (isSmall(size)) {
    const content = size > 0 ? [readSmall(handle, size), padded(size)] : [];
    yield Buffer.concat([headerOf(entry), ...content]);
    return;
  }
  yield headerOf(entry);
  yield* readContent(handle, size);
  yield padded(size);
}

/** With the end of the archive. `least`: bytes of a chunk, but for the last. */
export async function* inChunks(
  pieces: AsyncIterable<Buffer>,
  least: number = CHUNK,
): AsyncGenerator<Buffer> {
  let waiting: Buffer[] = [];
  let length = 0;
  for await (const piece of pieces) {
    waiting.push(piece);
    length += piece.length;
    if (length < least) continue;
    yield Buffer.concat(waiting);
    waiting = [];
    length = 0;
  }
  yield Buffer.concat([...waiting, END]);
}
