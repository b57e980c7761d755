import fc from 'fast-check';
import { expect, test } from 'vitest';
import { build, diff } from '../../src/plan/diff.js';
import type { KernelObject } from '../../src/plan/objects.js';
import { BRIDGE, endpoint, keys, network, veth } from '../kernel/kernel-objects.js';
import { createFakeKernel } from '../support/fake-kernel.js';

const world = (sandboxes: readonly number[]): readonly KernelObject[] => [
  ...network(),
  ...sandboxes.flatMap((n) => [
    { kind: 'netns' as const, path: `/run/s${n}` },
    ...endpoint(`/run/s${n}`, n, BRIDGE),
  ]),
];

test('any way between two worlds ends in the second, and a refusal at any step in the first', () => {
  const some = fc.uniqueArray(fc.integer({ min: 2, max: 9 }), { maxLength: 4 });
  fc.assert(
    fc.property(some, some, fc.nat(), (from, to, at) => {
      const kernel = createFakeKernel(world(from));
      const plan = diff(world(from), world(to));
      if (plan.length > 0) {
        kernel.failAt(1 + (at % plan.length));
        expect(() => kernel.apply(plan)).toThrow('told to fail');
        expect(keys(kernel.objects())).toEqual(keys(world(from)));
      }
      kernel.apply(plan);
      expect(keys(kernel.objects())).toEqual(keys(world(to)));
      expect(diff(kernel.observe(), world(to))).toEqual([]);
    }),
  );
});

test('the 1,024th port of a bridge is refused with EXFULL', () => {
  const kernel = createFakeKernel(network());
  const port = (n: number) => veth(`veth${n}`, BRIDGE, 'host', { peerName: `p${n}` });
  for (let n = 0; n < 1023; n++) kernel.meddle('create', port(n));
  expect(() => kernel.apply([{ op: 'create', object: port(1023) }])).toThrow(
    expect.objectContaining({ errno: 54 }),
  );
});

test('a failed sysctl write takes earlier ones back to what they were', () => {
  const sysctl = (path: string, value: string) => ({ kind: 'sysctl' as const, ns: 'host', path, value });
  const kernel = createFakeKernel([sysctl('net/ipv4/ip_forward', '0')]);
  const plan = build([sysctl('net/ipv4/ip_forward', '1'), sysctl('net/ipv4/conf/nolink/arp_notify', '1')]);
  expect(() => kernel.apply(plan)).toThrow(expect.objectContaining({ errno: 2 }));
  expect(kernel.objects()).toEqual([sysctl('net/ipv4/ip_forward', '0')]);
});
