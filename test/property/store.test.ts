/** What lmdb writes, our reader of its files takes: nothing that is whole is ever set aside. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Database, type Entry, valuesOf } from '../../src/store/database.js';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync('/dev/shm/vd-store-');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const key = fc.integer({ min: 0, max: 120 }).map((n) => `container/${'ab'.repeat(n % 20)}${n}`);
const json = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 0, max: 900 }) },
  { weight: 1, arbitrary: fc.integer({ min: 3_000, max: 20_000 }) },
);
const entry = fc.tuple(key, fc.option(json, { freq: 3 }));
const transactions = fc.array(fc.array(entry, { minLength: 1, maxLength: 30 }), {
  minLength: 1,
  maxLength: 25,
});

test('after every transaction, in a copy and after a close, the file reads as what was written', async () => {
  let n = 0;
  await fc.assert(
    fc.asyncProperty(transactions, async (all) => {
      n += 1;
      const path = join(folder, `${n}.mdb`);
      const model = new Map<string, string>();
      const seen = (file: string) => {
        const found = valuesOf(readFileSync(file));
        return 'damage' in found ? found : [...found.values].sort();
      };
      let database = new Database(path, model, true);
      for (const [index, changes] of all.entries()) {
        const entries = changes.map(
          ([k, length]): Entry => [k, length === null ? null : JSON.stringify('x'.repeat(length))],
        );
        database.write(entries);
        for (const [k, value] of entries)
          if (value === null) model.delete(k);
          else model.set(k, value);
        expect(seen(path)).toEqual([...model].sort());
        if (index % 8 !== 7) continue;
        await database.backup(`${path}-copy${index}`);
        expect(seen(`${path}-copy${index}`)).toEqual([...model].sort());
        await database.close();
        database = new Database(path, model, false);
      }
      await database.close();
    }),
    { numRuns: 60 },
  );
}, 60_000);
