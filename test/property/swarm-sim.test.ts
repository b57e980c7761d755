/**
 * S3: simulated clusters with users, failing nodes, partitions and several leaders; what must hold of a cluster is looked at after
 * each step (test/sim). A seed that fails is run again alone by `npm run sim -- --seed N`.
 */
import { describe, test } from 'vitest';
import { World } from '../sim/world.js';

const RUNS = 1000;
const AT_A_TIME = 100;
const STEPS = 40;

describe('S3: a simulated cluster holds what it promises', () => {
  test.each(Array.from({ length: RUNS / AT_A_TIME }, (_, at) => at * AT_A_TIME + 1))(
    'seeds from %i',
    (first) => {
      for (let seed = first; seed < first + AT_A_TIME; seed += 1) new World(seed).run(STEPS);
    },
  );
});
