/** Names sorted in slices, and slices of many walkers that take turns. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { sortedNames } from '../../src/files/sorted.js';
import { createPace } from '../../src/pace.js';

async function* each(names: readonly string[]): AsyncGenerator<string> {
  yield* names;
}

test('sorts as many names as there are, in the order of their bytes', async () => {
  const many = Array.from({ length: 30_000 }, (_, n) => `${(n * 7919) % 30_011}-ÿ`);
  expect(await sortedNames(each(many), createPace())).toEqual([...many].sort());
  await fc.assert(
    fc.asyncProperty(fc.array(fc.string()), async (names) => {
      expect(await sortedNames(each(names), createPace())).toEqual([...names].sort());
    }),
  );
});

test('walkers at the same time take turns of the loop, one slice each', async () => {
  let [slices, most] = [0, 0];
  let ends = false;
  const turns = (): void => {
    most = Math.max(most, slices);
    slices = 0;
    if (!ends) setImmediate(turns);
  };
  setImmediate(turns);
  const walker = async (): Promise<void> => {
    const pace = createPace();
    for (let times = 0; times < 5; times++) {
      await pace.rest();
      slices += 1;
    }
  };
  await Promise.all(Array.from({ length: 50 }, walker));
  ends = true;
  expect(most).toBeLessThanOrEqual(2);
});
