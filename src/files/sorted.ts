/** Names in the order of their bytes. A directory of a million is sorted in slices too. */
import type { Pace } from '../pace.js';

/** Names that are sorted at once: some milliseconds. */
const RUN = 8_192;

const runsOf = async (names: AsyncIterable<string>): Promise<string[][]> => {
  const runs: string[][] = [];
  for await (const name of names) {
    if ((runs.at(-1)?.length ?? RUN) >= RUN) runs.push([]);
    runs.at(-1)?.push(name);
  }
  return runs;
};

const merged = async (one: readonly string[], other: readonly string[], pace: Pace): Promise<string[]> => {
  const all: string[] = [];
  let [a, b] = [0, 0];
  while (a < one.length || b < other.length) {
    const [x, y] = [one[a], other[b]];
    if (y === undefined || (x !== undefined && x <= y)) a++;
    else b++;
    all.push(y === undefined || (x !== undefined && x <= y) ? (x ?? '') : y);
    if (all.length % RUN === 0 && pace.due()) await pace.rest();
  }
  return all;
};

/** `names`: byte strings, see kernel/file-calls.ts. */
export const sortedNames = async (names: AsyncIterable<string>, pace: Pace): Promise<readonly string[]> => {
  const runs = await runsOf(names);
  for (const run of runs) {
    run.sort();
    if (pace.due()) await pace.rest();
  }
  while (runs.length > 1) {
    const [one = [], other = []] = runs.splice(0, 2);
    runs.push(await merged(one, other, pace));
  }
  return runs[0] ?? [];
};
