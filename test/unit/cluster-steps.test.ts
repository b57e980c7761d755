/** Steps towards what is wanted: one at a time, and none is forgotten. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createSteps } from '../../src/cluster/life/steps.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it('one step at a time; what was asked for meanwhile is another, at once', async () => {
  const ends: (() => void)[] = [];
  const step = vi.fn(() => new Promise<number>((resolve) => ends.push(() => resolve(60_000))));
  const steps = createSteps(step, (error) => expect.fail(String(error)), new AbortController().signal);
  steps.again(0);
  await vi.advanceTimersByTimeAsync(0);
  steps.again(0);
  await vi.advanceTimersByTimeAsync(10);
  expect(step).toHaveBeenCalledTimes(1);
  ends.shift()?.();
  await vi.advanceTimersByTimeAsync(1);
  expect(step).toHaveBeenCalledTimes(2);
  ends.shift()?.();
  await vi.advanceTimersByTimeAsync(59_000);
  expect(step).toHaveBeenCalledTimes(2);
  await vi.advanceTimersByTimeAsync(2_000);
  expect(step).toHaveBeenCalledTimes(3);
});

it('one that failed is told and taken again, until the node ends', async () => {
  const over = new AbortController();
  const failed = vi.fn();
  const steps = createSteps(() => Promise.reject(new Error('no')), failed, over.signal);
  steps.again(0);
  await vi.advanceTimersByTimeAsync(2_500);
  expect(failed).toHaveBeenCalledTimes(3);
  over.abort();
  steps.close();
  await vi.advanceTimersByTimeAsync(5_000);
  expect(failed).toHaveBeenCalledTimes(3);
});
