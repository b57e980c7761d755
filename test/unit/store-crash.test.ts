/**
 * SIGKILL at each step between two generations of the record, and in each start that follows: whatever was said to be committed
 * is there, in the record and in each of its copies.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openStore } from '../../src/store/store.js';
import { asKilled } from '../support/killed-store.js';
import { attempt } from '../support/run.js';

const SCRIPT = fileURLToPath(new URL('../support/dying-store.ts', import.meta.url));
let folder = '';
beforeAll(() => {
  folder = mkdtempSync('/dev/shm/vd-crash-');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Answers what it said before it ended at the nth place. */
const life = async (root: string, nth: number, first: number): Promise<readonly string[]> => {
  const armed = join(folder, 'failpoints');
  writeFileSync(armed, `any:${nth}`);
  const args = ['--import', 'tsx', SCRIPT, root, String(first)];
  const { stdout, stderr } = await attempt(process.execPath, args, { env: { VIADUCT_FAILPOINTS: armed } });
  expect(stderr).toBe('');
  return stdout.split('\n').filter((line) => line !== '');
};

/** By record, the number of its last commit. */
const found = async (root: string, lost: readonly string[]): Promise<ReadonlyMap<string, number>> => {
  const next = join(folder, 'next');
  asKilled(root, next);
  for (const place of lost) rmSync(join(next, place), { recursive: true, force: true });
  const { store, quarantined } = await openStore({
    dataRoot: join(next, 'data'),
    execRoot: join(next, 'exec'),
  });
  expect(quarantined).toBeUndefined();
  const records = new Map([...store.load()].map(({ id, value }) => [id, (value as { n: number }).n]));
  await store.close();
  return records;
};

/** In turns. */
const LOST = [[], ['data/record'], ['data/record', 'data/record-copy']];

test('A K5: killed at every step, in one life after the other, nothing that was committed is lost', async () => {
  const root = join(folder, 'root');
  const said = new Map<string, number>();
  let first = 0;
  let places = 0;
  for (let closed = false; !closed; places += 1) {
    const lines = await life(root, places + 1, first);
    closed = lines.at(-1) === 'closed';
    for (const n of lines.flatMap((line) => (line === 'closed' ? [] : [Number(line)]))) {
      said.set(String(n % 5), n);
      first = n + 1;
    }
    const lost = LOST[places % LOST.length] ?? [];
    const records = await found(root, lost);
    for (const [id, n] of said)
      expect(
        records.get(id),
        `killed at place ${places + 1}, without ${lost}: record ${id}`,
      ).toBeGreaterThanOrEqual(n);
  }
  expect(places).toBeGreaterThan(10);
  expect(said.size).toBe(5);
}, 180_000);
