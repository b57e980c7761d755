/**
 * An honest client of a resolver: one question at a time over UDP, with a rest after each answer. A line `<name> <seconds>`
 * on standard input is answered by a line with the milliseconds within which 99 of 100 answers came.
 */
import { createSocket, type Socket } from 'node:dgram';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import * as packet from 'dns-packet';
import { quantile } from '../statistics.js';

const RESOLVER = '127.0.0.11';
/** Milliseconds; what is not answered by then counts as that. */
const LIMIT = 5000;
/** Milliseconds. Who never rests is a flood too, and the kernel lets it wait for a processor as it lets the other. */
const REST = 2;

const answered = (socket: Socket, name: string): Promise<number> =>
  new Promise((resolve) => {
    const begin = performance.now();
    const done = (): void => {
      clearTimeout(limit);
      resolve(performance.now() - begin);
    };
    const limit = setTimeout(done, LIMIT);
    socket.removeAllListeners('message').once('message', done);
    socket.send(packet.encode({ type: 'query', questions: [{ name, type: 'A' }] }), 53, RESOLVER);
  });

const slowest = async (name: string, seconds: number): Promise<number> => {
  const socket = createSocket('udp4');
  const end = performance.now() + seconds * 1000;
  const waits: number[] = [];
  while (performance.now() < end) {
    waits.push(await answered(socket, name));
    await sleep(REST);
  }
  socket.close();
  return quantile(waits, 0.99);
};

process.stdout.write('ready\n');
createInterface({ input: process.stdin }).on('line', (line) => {
  const [name = '', seconds] = line.split(' ');
  void slowest(name, Number(seconds)).then((ms) => process.stdout.write(`${ms}\n`));
});
