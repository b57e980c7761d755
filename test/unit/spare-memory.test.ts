import { getHeapStatistics } from 'node:v8';
import { expect, test } from 'vitest';
import { beginCollection, type Looked, look, UNSEEN } from '../../src/spare-memory.js';

const MB = 1 << 20;
/** When a collection is begun, of looks that find so many megabytes. */
const begins = (...found: readonly number[]): readonly boolean[] => {
  let seen: Looked = UNSEEN;
  return found.map((mb) => {
    seen = look(seen, mb * MB);
    return seen.begun;
  });
};

test('I12: a collection begins where nothing is done and much is kept, and again as long as it takes something', () => {
  expect(begins(60, 60, 30, 17, 17, 17)).toEqual([false, true, true, true, false, false]);
});

test('I12: none begins at work, and none again for what a collection left', () => {
  expect(begins(20, 40, 60, 80)).toEqual([false, false, false, false]);
  expect(begins(60, 60, 59, 60, 61, 62)).toEqual([false, true, false, false, false, false]);
});

test('I12: what came since is worth another one', () => {
  expect(begins(20, 20, 20, 50, 50, 20)).toEqual([false, true, false, false, true, true]);
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
