/** What was committed is what the next daemon finds: killed or closed, in the record, and in each copy of it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openStore, type Store, type StoredChange } from '../../src/store/store.js';
import { asKilled } from '../support/killed-store.js';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync('/dev/shm/vd-store-');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const change = fc.record({
  table: fc.constantFrom('container', 'network', 'of-a-later-version'),
  id: fc.integer({ min: 0, max: 40 }).map(String),
  value: fc.option(
    fc.record(
      {
        // so large that generations end
        text: fc
          .oneof(
            { weight: 6, arbitrary: fc.integer({ min: 0, max: 900 }) },
            { weight: 1, arbitrary: fc.integer({ min: 100_000, max: 400_000 }) },
          )
          .map((length) => 'é'.repeat(length / 2)),
        state: fc.integer(),
      },
      { noNullPrototype: true },
    ),
    { freq: 3 },
  ),
});
const commit = fc.record({
  changes: fc.array(change, { minLength: 1, maxLength: 6 }),
  durable: fc.boolean(),
});
const lives = fc.array(
  fc.record({
    commits: fc.array(commit, { maxLength: 15 }),
    ends: fc.constantFrom('killed', 'closed'),
    /** places that are gone before the next begins */
    lost: fc.subarray(['data/record', 'data/record-copy', 'exec/record'], { maxLength: 2 }),
  }),
  { minLength: 1, maxLength: 5 },
);

type Model = ReadonlyMap<string, StoredChange['value']>;
const sorted = (records: Model) => [...records].sort(([a], [b]) => (a < b ? -1 : 1));
const seen = (store: Store): Model => new Map([...store.load()].map((c) => [`${c.table}/${c.id}`, c.value]));

test('the next daemon finds what was committed, whichever two places are lost', async () => {
  await fc.assert(
    fc.asyncProperty(lives, async (all) => {
      const model = new Map<string, StoredChange['value']>();
      let root = mkdtempSync(join(folder, 'root-'));
      const open = async () => {
        const { store } = await openStore({ dataRoot: join(root, 'data'), execRoot: join(root, 'exec') });
        expect(sorted(seen(store))).toEqual(sorted(model));
        return store;
      };
      for (const { commits, ends, lost } of all) {
        const store = await open();
        for (const { changes, durable } of commits) {
          store.commit(changes, durable);
          for (const { table, id, value } of changes)
            if (value === null) model.delete(`${table}/${id}`);
            else model.set(`${table}/${id}`, value);
          await store.written();
        }
        const before = root;
        if (ends === 'closed') await store.close();
        root = mkdtempSync(join(folder, 'root-'));
        asKilled(before, root);
        if (ends === 'killed') await store.close();
        rmSync(before, { recursive: true, force: true });
        for (const place of lost) rmSync(join(root, place), { recursive: true, force: true });
      }
      await (await open()).close();
      rmSync(root, { recursive: true, force: true });
    }),
    { numRuns: 30 },
  );
}, 120_000);
