/** Many containers started at once on an engine that runs none: how many a second, and what a client that reads waits meanwhile. */
import { containerBody, idOf } from '../../bench.js';
import { type Figure, inParallel, type Pair, whilePingingBoth } from '../pair.js';
import type { Curve } from '../series.js';

const along = 'at once';
const WORST: Curve = {
  title: 'worst ping while containers start',
  along,
  unit: 'ms',
  of: 'worst',
  goal: { kind: 'most', value: 25 },
};
const MIDDLE: Curve = { title: 'ping while containers start', along, unit: 'ms' };
const RATE: Curve = { title: 'containers started a second', along, unit: '1/s' };

const burst = async (pair: Pair, at: number): Promise<void> => {
  const { grown, record } = pair;
  const body = containerBody('bridge');
  const ids: string[] = [];
  const count = Math.max(at, 20);
  for (let i = 0; i < count; i += 1)
    ids.push(idOf((await grown.api('POST', '/containers/create', body)).json));
  await whilePingingBoth(pair, async (seen) => {
    await seen();
    const begin = performance.now();
    await inParallel(grown, count, at, (client, i) => client.call('POST', `/containers/${ids[i]}/start`));
    record.add(RATE, at, 'grown', (count * 1_000) / (performance.now() - begin));
    for (const [side, { worst, p50 }] of await seen()) {
      record.add(WORST, at, side, worst);
      record.add(MIDDLE, at, side, p50);
    }
  });
  await inParallel(grown, count, 4, (client, i) => client.call('DELETE', `/containers/${ids[i]}?force=1`));
};

const measure = async (pair: Pair): Promise<void> => {
  for (const at of [1, 10, 50, 100]) {
    pair.say(`${at} at once`);
    for (let round = 0; round < (pair.quick ? 1 : 3); round += 1) await burst(pair, at);
  }
};

export const bursts: Figure = {
  name: 'bursts',
  about:
    '1, 10, 50 and 100 containers started at once: how many a second, and the pings of a client meanwhile',
  measure,
};
