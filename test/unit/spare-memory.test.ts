import { getHeapStatistics } from 'node:v8';
import { expect, test } from 'vitest';
import { beginCollection, type Looked, look, UNSEEN } from '../../src/spare-memory.js';

const MB = 1 << 20;
/** `*` for each look that begins a collection, of looks that find so many megabytes; `work`: of which looks something was done before. */
const begins = (found: readonly number[], work: readonly number[] = []): string => {
  let seen: Looked = UNSEEN;
  return found
    .map((mb, i) => {
      seen = look(seen, mb * MB, work.includes(i) ? 500 : 1);
      return seen.begins ? '*' : '.';
    })
    .join('');
};

const settled = Array.from({ length: 12 }, () => 20);
const row = '**.*...*....';

test('I12: four collections in a row where nothing is done, with ever more time between them, and then none', () => {
  expect(begins([60, 30, 25, 25, 20, 20, 20, 20, 20, 20, 20, 20, 20, 20])).toBe('**.*...*......');
});

test('I12: none begins at work, and none again for what collections left', () => {
  expect(begins([60, 60, 60, 60], [0, 1, 2])).toBe('...*');
  expect(begins([...settled, 21, 22, 23, 22, 21])).toBe(`${row}.....`);
});

test('I12: what came since is worth another row, which its own work does not end, until it is gone', () => {
  expect(begins([...settled, 90, 90, 60, 22, 22], [12, 14])).toBe(`${row}.**..`);
});

test('I12: V8 takes a heap’s garbage when it is made to', async () => {
  const used = () => getHeapStatistics().used_heap_size;
  let garbage: unknown = Array.from({ length: 400_000 }, (_, i) => ({ i, text: `${i}` }));
  expect(garbage).toHaveLength(400_000);
  const before = used();
  garbage = undefined;
  beginCollection();
  await expect.poll(() => before - used(), { timeout: 10_000 }).toBeGreaterThan(15 * MB);
});
