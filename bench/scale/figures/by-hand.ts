/** The same containers made by hand: one started beside ever more, beside none in the same minute; then all removed, four at a time. */
import { setTimeout as sleep } from 'node:timers/promises';
import { createByHand, HAND_CLEAR, HAND_RATE, type HandMadeContainers } from '../by-hand.js';
import { atATime, type Figure, type Pair } from '../pair.js';
import type { Curve, Side } from '../series.js';

const along = 'containers';
const START: Curve = { title: 'by hand: container start', along, unit: 'ms' };
const REMOVE: Curve = { title: 'by hand: container removed', along, unit: 'ms' };

/** Of those that are started and removed again. */
const EXTRA = 1_100;
/** What the kernel puts off is over by then. */
const SETTLE_MS = 80;

const measureAt = async (
  { quick, record }: Pair,
  at: number,
  sides: readonly (readonly [HandMadeContainers, Side])[],
): Promise<void> => {
  for (let round = -1; round < (quick ? 5 : 12); round += 1)
    for (const [hand, side] of sides) {
      await sleep(SETTLE_MS);
      const startMs = await hand.start(EXTRA);
      const removeMs = await hand.remove(EXTRA);
      if (round < 0) continue;
      record.add(START, at, side, startMs);
      record.add(REMOVE, at, side, removeMs);
    }
};

/** As the bursts of the engines. */
const bursts = async ({ quick, record }: Pair, hand: HandMadeContainers): Promise<void> => {
  for (const many of [1, 10])
    for (let round = 0; round < (quick ? 1 : 3); round += 1) {
      const count = 20;
      const begin = performance.now();
      await atATime(many, count, (index) => hand.start(EXTRA + index));
      record.add(HAND_RATE, many, 'grown', (count * 1_000) / (performance.now() - begin));
      await atATime(4, count, (index) => hand.remove(EXTRA + index));
    }
};

const measure = async (pair: Pair): Promise<void> => {
  const [grown, empty] = [await createByHand(pair), await createByHand(pair)];
  await bursts(pair, grown);
  const steps = pair.quick ? [10, 150] : [10, 1_000];
  let there = 0;
  for (const at of steps) {
    pair.say(`${at} containers`);
    for (; there < at; there += 1) await grown.start(there);
    await measureAt(pair, at, [
      [grown, 'grown'],
      [empty, 'empty'],
    ]);
  }
  pair.say('removing them');
  const begin = performance.now();
  await atATime(4, there, (index) => grown.remove(index));
  pair.record.add(HAND_CLEAR, there, 'grown', (performance.now() - begin) / 1_000);
  for (const hand of [grown, empty]) await hand.end();
};

export const byHand: Figure = {
  name: 'by-hand',
  about: 'the same by hand, with conmon, crun, ip and mount: what many cost whoever makes them',
  measure,
};
