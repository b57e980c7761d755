/**
 * One life of `store-crash.test.ts`: a store that makes commits until a place of src/failpoints.ts ends it, and says the number
 * of each once it is on the disk. Usage: dying-store.ts ROOT FIRST
 */
import { writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { openStore } from '../../src/store/store.js';

const [, , root = '', first = '0'] = process.argv;
/** So many that generations end: a commit has 300 kB. */
const COMMITS = 12;
const RECORDS = 5;

const { store } = await openStore({ dataRoot: join(root, 'data'), execRoot: join(root, 'exec') });
for (let n = Number(first); n < Number(first) + COMMITS; n += 1) {
  const value = { n, text: 'x'.repeat(300_000) };
  store.commit([{ table: 'network', id: String(n % RECORDS), value }], n % 2 === 0);
  await store.written();
  writeSync(1, `${n}\n`);
  await delay(10);
}
await store.close();
writeSync(1, 'closed\n');
