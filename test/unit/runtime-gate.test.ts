/** Only so much at a time, in order, and nobody for ever. */
import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { createGate } from '../../src/runtime/gate.js';

test('I12: so much goes on at a time, in the order of asking', async () => {
  const gate = createGate(2);
  const [begun, most] = [[] as number[], { now: 0, ever: 0 }];
  const work = async (i: number): Promise<number> => {
    begun.push(i);
    most.now += 1;
    most.ever = Math.max(most.ever, most.now);
    await pause(2);
    most.now -= 1;
    if (i === 3) throw new Error('the fourth fails');
    return i;
  };
  const all = await Promise.allSettled(Array.from({ length: 9 }, (_, i) => gate(() => work(i))));
  expect(all.map(({ status }) => status).filter((status) => status === 'rejected')).toHaveLength(1);
  expect(begun).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
  expect(most).toEqual({ now: 0, ever: 2 });
});

test('I12: what hangs keeps others for a moment, and who is given up begins at once', async () => {
  const gate = createGate(1, 50);
  const hangs = gate(() => new Promise(() => {}));
  const begun = performance.now();
  const [aborted, signal] = [new AbortController(), AbortSignal.abort()];
  const given = gate(async () => performance.now() - begun, aborted.signal);
  const late = gate(async () => performance.now() - begun);
  aborted.abort();
  expect(await gate(async () => performance.now() - begun, signal)).toBeLessThan(40);
  expect(await given).toBeLessThan(40);
  expect(await late).toBeGreaterThan(40);
  void hangs;
});
