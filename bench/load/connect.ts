/**
 * Makes connections as fast as one thread can: BATCH of them are opened, then each is read to its end and closed by a
 * reset, so that no TIME_WAIT is left at either side and the source ports can be used again at once. Arguments: address,
 * port. A line with seconds on standard input is answered by a line with connections per second.
 */
import { createInterface } from 'node:readline';
import * as ffi from '../../src/kernel/ffi.js';
import { median } from '../statistics.js';
import { inet } from './address.js';

const SOL_SOCKET = 1;
const SO_LINGER = 13;
const BATCH = 64;

const target = inet(process.argv[2] ?? '', Number(process.argv[3]));
const reset = Buffer.alloc(8);
reset.writeInt32LE(1, 0); // on, and 0 seconds: close sends RST
const nothing = Buffer.alloc(16);

const open = (): number => {
  const fd = ffi.socket(ffi.AF.INET, ffi.SOCK.STREAM);
  ffi.setsockopt(fd, SOL_SOCKET, SO_LINGER, reset);
  ffi.connect(fd, target);
  return fd;
};

/** Milliseconds for one batch. */
const batch = (): number => {
  const begin = performance.now();
  for (const fd of Array.from({ length: BATCH }, open)) {
    ffi.recv(fd, nothing);
    ffi.close(fd);
  }
  return performance.now() - begin;
};

/** By the median batch: what else runs on the machine stretches some batches, and would move a mean. */
const connectionsPerSecond = (seconds: number): number => {
  const end = performance.now() + seconds * 1000;
  const batches: number[] = [];
  while (performance.now() < end) batches.push(batch());
  return (BATCH * 1000) / median(batches);
};

createInterface({ input: process.stdin }).on('line', (line) => {
  process.stdout.write(`${connectionsPerSecond(Number(line))}\n`);
});
