/** The same plans on the kernel and on its fake: same errno where one refuses, same objects afterwards. */
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { KernelError } from '../../src/errors.js';
import type { KernelObject } from '../../src/plan/objects.js';
import type { Plan } from '../../src/plan/plan.js';
import { createFakeKernel } from '../support/fake-kernel.js';
import {
  address,
  BRIDGE,
  bridge,
  build,
  diff,
  endpoint,
  ip,
  keys,
  network,
  route,
  testKernel,
  veth,
} from './kernel-support.js';

let t: ReturnType<typeof testKernel>;
beforeEach(() => {
  t = testKernel();
});
afterEach(async () => {
  t.kernel.apply(diff(t.kernel.observe(), []));
  await t.end();
});

const errnoOf = (work: () => void): number => {
  try {
    work();
    return 0;
  } catch (error) {
    if (error instanceof KernelError) return error.errno;
    throw error;
  }
};

/** Applies to both and compares; `before` is there already. */
const compare = (before: readonly KernelObject[], plan: Plan): number => {
  const fake = createFakeKernel(before);
  t.kernel.apply(build(before));
  const real = errnoOf(() => t.kernel.apply(plan));
  expect(errnoOf(() => fake.apply(plan))).toBe(real);
  expect(keys(t.kernel.observe())).toEqual(keys(fake.observe()));
  for (const o of fake.objects()) expect([o, t.kernel.present(o)]).toEqual([o, true]);
  return real;
};
const create = (...objects: KernelObject[]): Plan => objects.map((object) => ({ op: 'create', object }));

const NS = () => ({ kind: 'netns' as const, path: t.sandbox('a') });
const VETH = 'veth00000000002';

test.each<[string, () => readonly KernelObject[], () => Plan, number]>([
  ['a name of 16 bytes', () => [], () => create(bridge('br-0123456789abc')), 34],
  [
    'an empty name',
    () => [NS()],
    () => create(bridge(BRIDGE), veth(VETH, BRIDGE, t.sandbox('a'), { peerName: '' })),
    22,
  ],
  ['a name with a slash', () => [], () => create(bridge('br/0')), 22],
  ['an mtu of 67', () => [], () => create(bridge(BRIDGE, { mtu: 67 })), 22],
  ['an mtu of 65536', () => [], () => create(bridge(BRIDGE, { mtu: 65536 })), 22],
  [
    'a multicast mac',
    () => [NS()],
    () => create(bridge(BRIDGE), veth(VETH, BRIDGE, t.sandbox('a'), { peerMac: '01:00:5e:00:00:01' })),
    99,
  ],
  ['a multicast mac of a bridge', () => [], () => create(bridge(BRIDGE, { mac: '01:00:5e:00:00:01' })), 99],
  ['an unknown namespace', () => network(), () => create(veth(VETH, BRIDGE, t.sandbox('a'))), 2],
  ['an address on no link', () => [], () => create(address('host', BRIDGE, '10.0.0.1/8')), 19],
  ['an address in no namespace', () => [], () => create(address(t.sandbox('a'), 'eth0', '10.0.0.1/8')), 2],
  ['no address', () => network(), () => create(address('host', BRIDGE, '10.0.0.256/8')), 22],
  [
    'IPv6 on an mtu of 1000',
    () => [bridge(BRIDGE, { mtu: 1000 })],
    () => create(address('host', BRIDGE, 'fd00::1/64')),
    22,
  ],
  [
    'a route on a link that is down',
    () => [bridge(BRIDGE, { up: false }), address('host', BRIDGE, '172.18.0.1/16')],
    () => create(route('host', BRIDGE, '10.0.0.0/8')),
    100,
  ],
  [
    'an IPv6 route on a link that is down',
    () => [bridge(BRIDGE, { up: false }), address('host', BRIDGE, 'fd00::1/64')],
    () => create(route('host', BRIDGE, 'fd01::/64')),
    100,
  ],
  [
    'a gateway elsewhere',
    () => network(),
    () => create(route('host', BRIDGE, '10.0.0.0/8', '192.168.0.1')),
    101,
  ],
  [
    'an IPv6 gateway elsewhere',
    () => network(),
    () => create(route('host', BRIDGE, 'fd01::/64', 'fd02::1')),
    113,
  ],
  [
    'a bridge that is there with another mac',
    () => network(),
    () => create(bridge(BRIDGE, { mac: '02:42:00:00:00:09' })),
    17,
  ],
  [
    'a route that is there by another way',
    () => [...network(), route('host', BRIDGE, '10.0.0.0/8', '172.18.0.2')],
    () => create(route('host', BRIDGE, '10.0.0.0/8', '172.18.0.3')),
    17,
  ],
  [
    'a peer name that is taken',
    () => [...network(), NS(), ...endpoint(t.sandbox('a'), 2, BRIDGE)],
    () => create(veth('veth00000000009', BRIDGE, t.sandbox('a'))),
    17,
  ],
  [
    'a sysctl of no link',
    () => [],
    () => create({ kind: 'sysctl', ns: 'host', path: 'net/ipv4/conf/nolink/arp_notify', value: '1' }),
    2,
  ],
  [
    'a sysctl above /proc/sys',
    () => [],
    () => create({ kind: 'sysctl', ns: 'host', path: 'net/../../etc/passwd', value: '1' }),
    22,
  ],
  [
    'an fdb entry on no port',
    () => network(),
    () => create({ kind: 'fdb', ns: 'host', link: BRIDGE, mac: '02:42:ac:12:00:09' }),
    95,
  ],
])('both refuse %s', (_, before, plan, errno) => {
  expect(compare(before(), plan())).toBe(errno);
});

test.each<[string, () => Plan]>([
  ['an unknown bridge', () => create(NS(), veth(VETH, BRIDGE, t.sandbox('a')))],
  ['a foreign bridge that is not there', () => create(bridge('lan0', { owned: false }))],
])('both refuse %s, the kernel layer in words', (_, plan) => {
  expect(() => t.kernel.apply(plan())).toThrow(expect.objectContaining({ kind: 'conflict' }));
  expect(errnoOf(() => createFakeKernel().apply(plan()))).toBe(19);
});

test('both take a world that is there already, and deletes of what is not there', () => {
  const world = [...network(), NS(), ...endpoint(t.sandbox('a'), 2, BRIDGE)];
  expect(compare(world, build(world))).toBe(0);
  expect(compare(world, diff(world, []))).toBe(0);
  expect(compare([], diff(world, []))).toBe(0);
});

test('both take static neighbours, FDB entries and routes, and their replacement', () => {
  const mac = (n: number) => `02:42:ac:12:00:0${n}`;
  const more = (n: number): readonly KernelObject[] => [
    { kind: 'neighbour', ns: 'host', link: BRIDGE, address: '172.18.0.77', mac: mac(n) },
    { kind: 'neighbour', ns: 'host', link: BRIDGE, address: 'fd00::77', mac: mac(n) },
    route('host', BRIDGE, '10.1.0.0/16', `172.18.0.${n}`),
    route('host', BRIDGE, 'fd01::/64', `fd00::${n}`),
  ];
  const world = [...network(), NS(), ...endpoint(t.sandbox('a'), 2, BRIDGE)];
  const fixed: KernelObject = { kind: 'fdb', ns: 'host', link: VETH, mac: mac(9) };
  expect(compare([...world, ...more(5)], diff([...world, ...more(5)], [...world, ...more(6), fixed]))).toBe(
    0,
  );
  for (const o of more(6)) expect(t.kernel.present(o)).toBe(true);
  for (const o of more(5)) expect(t.kernel.present(o)).toBe(false);
});

test('both take VXLAN devices with what they know, and forget it with them', () => {
  const device = (vni: number): KernelObject => ({
    kind: 'link',
    type: 'vxlan',
    ns: 'host',
    name: 'vx-0123456789ab',
    mtu: 1500,
    up: true,
    vni,
    local: '192.0.2.1',
    port: 4789,
    master: BRIDGE,
  });
  const at = (destination: string): KernelObject => ({
    kind: 'fdb',
    ns: 'host',
    link: 'vx-0123456789ab',
    mac: '02:42:ac:12:00:09',
    destination,
  });
  const world = [...network(), device(7), at('192.0.2.2')];
  const moved = [...network(), device(7), at('192.0.2.3')];
  const anew = [...network(), device(8), at('192.0.2.3')];
  expect(compare(world, diff(world, moved))).toBe(0);
  expect(compare(moved, diff(moved, anew))).toBe(0);
  expect(compare(anew, diff(anew, network()))).toBe(0);
});

test('both change a link in place', () => {
  const a = t.sandbox('a');
  const before = [...network(), NS(), veth(VETH, BRIDGE, a)];
  const after = [
    bridge(BRIDGE, { mac: '02:42:00:00:00:07', mtu: 1450 }),
    ...network().slice(1),
    NS(),
    veth(VETH, BRIDGE, a, { mtu: 1400, hairpin: true, isolated: true }),
  ];
  expect(compare(before, diff(before, after))).toBe(0);
  for (const o of after) expect([o, t.kernel.present(o)]).toEqual([o, true]);
  expect(ip('-d', 'link', 'show', VETH)).toMatch(/hairpin on.*isolated on/);
});

test('random ways between worlds end alike, whichever step is refused', { timeout: 60_000 }, () => {
  const some = fc.uniqueArray(fc.integer({ min: 2, max: 5 }), { maxLength: 3 });
  const world = (numbers: readonly number[]): readonly KernelObject[] =>
    numbers.length === 0
      ? []
      : [
          ...network(),
          ...numbers.flatMap((n) => [
            { kind: 'netns' as const, path: t.sandbox(`s${n}`) },
            ...endpoint(t.sandbox(`s${n}`), n, BRIDGE),
          ]),
        ];
  fc.assert(
    fc.property(some, some, fc.nat(), (from, to, at) => {
      t.kernel.apply(diff(t.kernel.observe(), world(from)));
      const plan = diff(world(from), world(to));
      const cut = plan.length === 0 ? 0 : at % plan.length;
      const bad = create(address('host', 'nolink', '10.0.0.1/8'));
      expect(errnoOf(() => t.kernel.apply([...plan.slice(0, cut), ...bad, ...plan.slice(cut)]))).toBe(19);
      expect(diff(t.kernel.observe(), world(from))).toEqual([]);
      expect(compare(world(from), plan)).toBe(0);
      expect(diff(t.kernel.observe(), world(to))).toEqual([]);
    }),
    { numRuns: 15 },
  );
});
