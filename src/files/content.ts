/** Bytes of regular files, read and written through descriptors: large ones in libuv's threads, small ones at once. */
import { closeSync, copyFile, constants as fs, openSync, read, readSync, write, writeSync } from 'node:fs';
import { promisify } from 'node:util';
import { closing, descriptorPath } from '../kernel/file-calls.js';

const [readLater, writeLater, copyLater] = [promisify(read), promisify(write), promisify(copyFile)];

/** Up to here a call of a thread takes longer than the reading. */
const SMALL = 64 * 1024;
const CHUNK = 256 * 1024;

export const isSmall = (size: number): boolean => size <= SMALL;

/** Opens for reading what the handle is of: a regular file, or nothing would be opened. */
const reopen = (handle: number): number => openSync(descriptorPath(handle), fs.O_RDONLY | fs.O_NONBLOCK);

/** The same of a small file (`isSmall`), at once. */
export const readSmall = (handle: number, size: number): Buffer => {
  const bytes = Buffer.alloc(size);
  closing(reopen(handle), (fd) => {
    for (let at = 0, got = -1; at < size && got !== 0; at += got)
      got = readSync(fd, bytes, at, size - at, at);
  });
  return bytes;
};

/** Exactly `size` bytes: cut where it grew, zeros where it shrank meanwhile. */
export async function* readContent(handle: number, size: number): AsyncGenerator<Buffer> {
  if (size === 0) return;
  const fd = reopen(handle);
  try {
    for (let at = 0; at < size; ) {
      const chunk = Buffer.alloc(Math.min(CHUNK, size - at));
      const got =
        size <= SMALL
          ? readSync(fd, chunk, 0, chunk.length, at)
          : (await readLater(fd, chunk, 0, chunk.length, at)).bytesRead;
      const filled = got === 0 ? chunk : chunk.subarray(0, got);
      at += filled.length;
      yield filled;
    }
  } finally {
    closeSync(fd);
  }
}

const writeAll = async (fd: number, bytes: Buffer): Promise<void> => {
  for (let at = 0; at < bytes.length; )
    at +=
      bytes.length <= SMALL
        ? writeSync(fd, bytes, at)
        : (await writeLater(fd, bytes, at, bytes.length - at, null)).bytesWritten;
};

export const writeContent = async (fd: number, data: AsyncIterable<Buffer>): Promise<void> => {
  for await (const chunk of data) await writeAll(fd, chunk);
};

/** From a handle of a regular file to a file open for writing; shared on the disk where the file system can. */
export const copyContent = async (handle: number, size: number, to: number): Promise<void> => {
  if (size <= SMALL) return writeContent(to, readContent(handle, size));
  await copyLater(descriptorPath(handle), descriptorPath(to), fs.COPYFILE_FICLONE);
};
