/**
 * Simulated clusters by the thousand: `npm run sim -- --runs 10000`, one alone with its story by `npm run sim -- --seed 17`,
 * the time of one pass over a large cluster by `npm run sim -- --scale`.
 */
import { parseArgs } from 'node:util';
import { measurePasses, measureTold, NODES, REPLICAS, SERVICES } from './scale.js';
import { Broken, World } from './world.js';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '1000' },
    from: { type: 'string', default: '1' },
    steps: { type: 'string', default: '40' },
    seed: { type: 'string' },
    scale: { type: 'boolean', default: false },
  },
});

const tally = new Map<string, number>();

const once = (seed: number): Broken | undefined => {
  const world = new World(seed);
  try {
    world.run(Number(values.steps));
    return undefined;
  } catch (error) {
    if (error instanceof Broken) return error;
    throw error;
  } finally {
    for (const [what, times] of world.tally) tally.set(what, (tally.get(what) ?? 0) + times);
  }
};

if (values.scale) {
  console.log(`${NODES} nodes, ${SERVICES} services of ${REPLICAS} tasks`);
  for (const { what, ms, changes } of measurePasses()) {
    const sorted = [...ms].sort((a, b) => a - b);
    const [middle = 0, most = 0] = [sorted[ms.length >> 1], sorted.at(-1)];
    console.log(`${middle.toFixed(1)} ms, at most ${most.toFixed(1)}\t${what} (${changes} changes)`);
  }
  for (const { who, bytes } of measureTold()) console.log(`${bytes} bytes\t${who}`);
  process.exit(0);
}

const first = Number(values.seed ?? values.from);
const runs = values.seed === undefined ? Number(values.runs) : 1;
const failed: number[] = [];
for (let seed = first; seed < first + runs; seed += 1) {
  const broken = once(seed);
  if (!broken) continue;
  failed.push(seed);
  if (values.seed !== undefined) console.log(broken.trace.join('\n'));
  console.log(broken.message);
}
for (const [what, times] of [...tally].sort(([a], [b]) => (a < b ? -1 : 1))) console.log(`${times}\t${what}`);
console.log(
  failed.length === 0
    ? `${runs} runs: everything held`
    : `${failed.length} of ${runs} runs failed: ${failed.join(' ')}`,
);
process.exitCode = failed.length === 0 ? 0 : 1;
