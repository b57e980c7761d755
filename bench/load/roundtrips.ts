/**
 * One byte to an echo and back, again and again, on one TCP connection. A line `<address> <port> <seconds>` on standard
 * input is answered by a line with the microseconds of a round trip.
 */
import { createInterface } from 'node:readline';
import * as ffi from '../../src/kernel/ffi.js';
import { median } from '../statistics.js';
import { inet, noDelay } from './address.js';

const BATCH = 16;
const byte = Buffer.alloc(1, 1);
const answer = Buffer.alloc(64);

/** Microseconds of one round trip, the mean of a batch. */
const batch = (fd: number): number => {
  const begin = performance.now();
  for (let i = 0; i < BATCH; i += 1) {
    ffi.send(fd, byte);
    if (ffi.recv(fd, answer) !== 1) throw new Error('the echo ended');
  }
  return ((performance.now() - begin) * 1000) / BATCH;
};

/** By the median batch: what else runs on the machine stretches some batches, and would move a mean. */
const roundTrip = (address: string, port: number, seconds: number): number => {
  const fd = ffi.socket(ffi.AF.INET, ffi.SOCK.STREAM);
  try {
    ffi.connect(fd, inet(address, port));
    noDelay(fd);
    const end = performance.now() + seconds * 1000;
    const batches: number[] = [];
    while (performance.now() < end) batches.push(batch(fd));
    return median(batches);
  } finally {
    ffi.close(fd);
  }
};

process.stdout.write('ready\n');
createInterface({ input: process.stdin }).on('line', (line) => {
  const [address = '', port, seconds] = line.split(' ');
  process.stdout.write(`${roundTrip(address, Number(port), Number(seconds))}\n`);
});
