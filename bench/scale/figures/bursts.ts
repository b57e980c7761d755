/** Many containers started at once on an engine that runs none: how many a second, and what a client that reads waits meanwhile. */
import { containerBody, idOf } from '../../bench.js';
import { median } from '../../statistics.js';
import { HAND_RATE } from '../by-hand.js';
import { type Figure, inParallel, type Pair, whilePingingBoth } from '../pair.js';
import type { Curve } from '../series.js';

const along = 'at once';
const WORST: Curve = {
  title: 'worst ping while containers start',
  along,
  unit: 'ms',
  of: 'worst',
  goal: { kind: 'most', value: 25 },
  floor: {
    of: 'empty',
    why: 'both processors are taken by crun, conmon and the kernel; what is above it is a turn of the daemon’s loop, and the ping behind it',
  },
};
const MIDDLE: Curve = { title: 'ping while containers start', along, unit: 'ms' };
const RATE: Curve = { title: 'containers started a second', along, unit: '1/s' };
/** On two processors. */
const GAIN: Curve = {
  title: 'ten containers at a time beside one after the other: starts a second',
  along: 'at once',
  unit: '×',
  goal: { kind: 'least', value: 1.8 },
  floor: {
    of: [HAND_RATE],
    why: 'both processors are busy with one start after the other already: its monitor, crun and the making of its network overlap',
  },
};

/** At least: of fewer, the last ones, which start with nobody beside them, would be a good part of the figure. */
const STARTS = 60;

/** Answers how many were started a second. */
const burst = async (pair: Pair, at: number): Promise<number> => {
  const { grown, record } = pair;
  const body = containerBody('bridge');
  const ids: string[] = [];
  const count = Math.max(at, STARTS);
  for (let i = 0; i < count; i += 1)
    ids.push(idOf((await grown.api('POST', '/containers/create', body)).json));
  let rate = 0;
  await whilePingingBoth(pair, async (seen) => {
    await seen();
    const begin = performance.now();
    await inParallel(grown, count, at, (client, i) => client.call('POST', `/containers/${ids[i]}/start`));
    rate = (count * 1_000) / (performance.now() - begin);
    record.add(RATE, at, 'grown', rate);
    for (const [side, { worst, p50 }] of await seen()) {
      record.add(WORST, at, side, worst);
      record.add(MIDDLE, at, side, p50);
    }
  });
  await inParallel(grown, count, 4, (client, i) => client.call('DELETE', `/containers/${ids[i]}?force=1`));
  return rate;
};

const measure = async (pair: Pair): Promise<void> => {
  const alone: number[] = [];
  for (const at of [1, 10, 50, 100]) {
    pair.say(`${at} at once`);
    for (let round = 0; round < (pair.quick ? 1 : 3); round += 1) {
      const rate = await burst(pair, at);
      if (at === 1) alone.push(rate);
      if (at === 10) pair.record.add(GAIN, at, 'grown', rate / median(alone));
    }
  }
};

export const bursts: Figure = {
  name: 'bursts',
  about:
    '1, 10, 50 and 100 containers started at once: how many a second, and the pings of a client meanwhile',
  measure,
};
