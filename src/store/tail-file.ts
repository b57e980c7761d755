/** Makes and writes the file of a journal (tail): what it is called, how much room it takes in advance. */
import { closeSync, constants, fstatSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { unavailable } from '../errors.js';
import { RESERVE } from './lines.js';

/** A tail is named by the commit after which it begins. */
export const tailPath = (directory: string, seq: number): string => join(directory, `${seq}.tail`);

/** A disk that is nearly full takes a part, over which the next is written; that throws too. */
export const writeAt = (fd: number, bytes: Buffer, at: number): void => {
  if (writeSync(fd, bytes, 0, bytes.length, at) < bytes.length)
    throw unavailable('no space left on device for the record of networks and containers');
};

export const layOut = (fd: number, length: number): void => {
  const { size } = fstatSync(fd);
  if (size < length) writeAt(fd, Buffer.alloc(length - size), size);
};

/** For root only: containers' environments hold secrets. */
export const openTail = (path: string): number => openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);

/** A new one. Throws where the disk has no room, and leaves nothing. */
export const beginTail = (path: string): number => {
  const fd = openTail(path);
  try {
    layOut(fd, RESERVE);
    return fd;
  } catch (error) {
    closeSync(fd);
    rmSync(path);
    throw error;
  }
};
