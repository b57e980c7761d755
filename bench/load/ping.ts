/**
 * A client that asks a daemon for nothing but an answer (`GET /_ping`), again two milliseconds after each. Each line on standard input
 * is answered by a line with what it saw since the last one, as JSON: how many pings, their median, 99th percentile and worst, milliseconds.
 * Argument: the daemon's socket.
 */
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from '../http.js';
import { quantile } from '../statistics.js';

const REST_MS = 2;

let waits: number[] = [];
const client = createClient(process.argv[2] ?? '');

process.stdout.write('ready\n');
createInterface({ input: process.stdin }).on('line', () => {
  const seen = waits;
  waits = [];
  const [p50, p99, worst] = seen.length === 0 ? [0, 0, 0] : [0.5, 0.99, 1].map((p) => quantile(seen, p));
  process.stdout.write(`${JSON.stringify({ count: seen.length, p50, p99, worst })}\n`);
});

for (;;) {
  const { ms } = await client.call('GET', '/_ping');
  waits.push(ms);
  await sleep(REST_MS);
}
