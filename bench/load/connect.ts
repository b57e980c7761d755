/**
 * Makes connections as fast as one thread can: BATCH of them are opened, then each is read to its end and closed by a
 * reset, so that no TIME_WAIT is left at either side and the source ports can be used again at once. Arguments: address,
 * port. A line with seconds on standard input is answered by a line with connections per second.
 */
import { createInterface } from 'node:readline';
import * as ffi from '../../src/kernel/ffi.js';
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

const connectionsPerSecond = (seconds: number): number => {
  const begin = performance.now();
  let made = 0;
  while (performance.now() - begin < seconds * 1000) {
    const batch = Array.from({ length: BATCH }, open);
    for (const fd of batch) {
      ffi.recv(fd, nothing);
      ffi.close(fd);
    }
    made += BATCH;
  }
  return (made * 1000) / (performance.now() - begin);
};

createInterface({ input: process.stdin }).on('line', (line) => {
  process.stdout.write(`${connectionsPerSecond(Number(line))}\n`);
});
