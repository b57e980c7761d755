/** What could not be repaired is tried again until it can be, and told once. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Model } from '../../src/engine/commit/model.js';
import { watchDrift } from '../../src/engine/commit/repair.js';
import type { KernelObject } from '../../src/plan/objects.js';
import { createFakeKernel } from '../support/fake-kernel.js';
import { aNetwork } from '../support/views.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it('M4: a bridge of somebody else’s that is gone is asked for ever more rarely, told of once, and taken up when it is back', () => {
  const kernel = createFakeKernel();
  const model = new Model();
  const network = aNetwork();
  model.change({ table: 'network', id: network.id, value: network });
  const parent: KernelObject = { kind: 'foreign', ns: 'host', name: 'lan', missing: 'no lan' };
  const link: KernelObject = { kind: 'link', type: 'dummy', ns: 'host', name: 'dm-1', mtu: 1500, up: true };
  let tries = 0;
  const derive = (): readonly KernelObject[] => {
    tries += 1;
    return [parent, link];
  };
  const said: string[] = [];
  const log = { error: (_: unknown, text: string) => said.push(text), warn: () => {}, info: () => {} };
  const watch = watchDrift({ kernel, model, derive, log } as never, () => {}); // only these of a logger are used
  kernel.meddle('delete', link);
  vi.advanceTimersByTime(60_000);
  expect(said).toEqual(['repair failed']);
  expect(tries).toBeLessThan(60);
  kernel.meddle('create', parent);
  vi.advanceTimersByTime(10_000);
  expect(kernel.objects()).toContainEqual(link);
  const before = tries;
  watch.close();
  kernel.meddle('delete', link);
  vi.advanceTimersByTime(60_000);
  expect(tries).toBe(before);
});
