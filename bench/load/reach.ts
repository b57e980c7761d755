/**
 * When does an address begin to answer? A line with an address on standard input is answered by a line with the time at
 * which the first answer came, in milliseconds of the monotonic clock, which is one for all processes of a machine.
 *
 * Each millisecond a datagram is sent to a port that nobody has: the first thing that the other end's kernel says is that.
 */
import { createSocket } from 'node:dgram';
import { createInterface } from 'node:readline';

const NOBODYS_PORT = 9;
const STEP_MS = 1;

const firstAnswer = (address: string): Promise<number> =>
  new Promise((resolve) => {
    const socket = createSocket('udp4');
    let timer: NodeJS.Timeout | undefined;
    let over = false;
    /** What was said comes with the next datagram, or by itself. */
    const hear = (error: NodeJS.ErrnoException | null): void => {
      if (over || error?.code !== 'ECONNREFUSED') return; // nobody has been found there yet
      over = true;
      const now = Number(process.hrtime.bigint()) / 1e6;
      clearInterval(timer);
      socket.close();
      resolve(now);
    };
    const ask = (): void => socket.send('', hear);
    socket.on('error', hear);
    socket.connect(NOBODYS_PORT, address, () => {
      ask();
      timer = setInterval(ask, STEP_MS);
    });
  });

process.stdout.write('ready\n');
createInterface({ input: process.stdin }).on('line', (address) => {
  void firstAnswer(address).then((ms) => process.stdout.write(`${ms}\n`));
});
