/**
 * S3: simulated clusters with users, failing nodes, partitions and several leaders; what must hold of a cluster is looked at after
 * each step (test/sim). A seed that fails is run again alone by `npm run sim -- --seed N`.
 */
import { describe, expect, test } from 'vitest';
import { World } from '../sim/world.js';

/** A thousand in `npm run check` (scripts/check.sh); fewer wherever tests of a change are run. */
const RUNS = Number(process.env.SIM_RUNS ?? 100);
const AT_A_TIME = 25;
const STEPS = 40;
/** Seeds beyond the thousand that once broke a promise: an order that an index had by chance, two tasks on a paused node. */
const ONCE_BROKEN = [51_118, 52_256, 55_456];

/** What the runs must have met with, or they show nothing. */
const MET = [
  ...[
    'a leader takes over',
    'transaction refused',
    'transaction unknown',
    'a node has all that it is to have',
  ],
  ...['task complete', 'task failed', 'task rejected', 'task shutdown', 'leader says rejected'],
  ...['update completed', 'update paused', 'update rollback_completed', 'update rollback_paused'],
];

describe('S3: a simulated cluster holds what it promises', () => {
  const tally = new Map<string, number>();
  test.each(Array.from({ length: Math.ceil(RUNS / AT_A_TIME) }, (_, at) => at * AT_A_TIME + 1))(
    'seeds from %i',
    (first) => {
      for (let seed = first; seed < first + AT_A_TIME; seed += 1) {
        const world = new World(seed);
        world.run(STEPS);
        for (const [what, times] of world.tally) tally.set(what, (tally.get(what) ?? 0) + times);
      }
    },
  );
  test.each(ONCE_BROKEN)('seed %i, which once did not', (seed) => new World(seed).run(STEPS));
  test('and all of it was met with', () => {
    expect(MET.filter((what) => (tally.get(what) ?? 0) < RUNS / 100)).toEqual([]);
  });
});
