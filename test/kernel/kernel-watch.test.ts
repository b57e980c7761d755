/** What others change is told of within 50 ms, what we change is not. */
import { execFileSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Drift } from '../../src/kernel/contract.js';
import { hostSocket, message, NETLINK, NetlinkSocket, withSocket } from '../../src/kernel/netlink.js';
import { changeLink } from '../../src/kernel/rtnetlink/link.js';
import { address, BRIDGE, bridge, build, diff, endpoint, ip, network, testKernel } from './kernel-support.js';

const VETH = 'veth00000000002';
let t: ReturnType<typeof testKernel>;
let heard: Drift[];
let calls: number;
beforeEach(() => {
  heard = [];
  calls = 0;
  t = testKernel({ bridges: () => [{ name: 'docker0', owned: true }] });
  t.kernel.watch((drift) => {
    calls += 1;
    heard.push(...drift);
  });
});
afterEach(async () => {
  vi.restoreAllMocks();
  t.kernel.apply(diff(t.kernel.observe(), []));
  await t.end();
});

const plugged = () => [
  ...network(),
  { kind: 'netns' as const, path: t.sandbox('a') },
  ...endpoint(t.sandbox('a'), 2, BRIDGE),
];
const quiet = async (): Promise<void> => {
  await sleep(200);
  heard = [];
  calls = 0;
};

const told = (drift: Drift): Promise<void> =>
  expect.poll(() => heard, { timeout: 10_000 }).toContainEqual(drift);

test('nothing is told of our own plans, unplugging and dropping included', async () => {
  t.kernel.apply(build(plugged()));
  await sleep(150);
  const plug = endpoint(t.sandbox('a'), 2, BRIDGE);
  t.kernel.apply(diff(plug, []));
  await sleep(150);
  t.kernel.apply(build(plug));
  await sleep(150);
  t.kernel.apply(diff(plugged(), []));
  await t.kernel.settled();
  await sleep(150);
  expect(heard).toEqual([]);
});

test.each<[string, string[], Drift]>([
  ['a deleted bridge', ['link', 'delete', BRIDGE], { kind: 'link', ns: 'host', name: BRIDGE }],
  ['a deleted veth', ['link', 'delete', VETH], { kind: 'link', ns: 'host', name: VETH }],
  ['a bridge set down', ['link', 'set', BRIDGE, 'down'], { kind: 'link', ns: 'host', name: BRIDGE }],
  [
    'a port taken off its bridge',
    ['link', 'set', VETH, 'nomaster'],
    { kind: 'link', ns: 'host', name: VETH },
  ],
  ['a changed mtu', ['link', 'set', BRIDGE, 'mtu', '1400'], { kind: 'link', ns: 'host', name: BRIDGE }],
  [
    'a removed address',
    ['address', 'delete', '172.18.0.1/16', 'dev', BRIDGE],
    { kind: 'address', ns: 'host', name: BRIDGE },
  ],
  [
    'a removed IPv6 address',
    ['address', 'delete', 'fd00::1/64', 'dev', BRIDGE],
    { kind: 'address', ns: 'host', name: BRIDGE },
  ],
  ['an overlapping route', ['route', 'add', '172.18.0.0/24', 'dev', 'lo'], { kind: 'route' }],
])('%s is told of', async (_, command, drift) => {
  t.kernel.apply(build(plugged()));
  await quiet();
  ip(...command);
  await told(drift);
  await sleep(120);
  expect(calls).toBe(1);
});

test('K15: the loss of a bridge’s entry for its own MAC is told of, and repaired; a port’s is not', async () => {
  t.kernel.apply(build(plugged()));
  await quiet();
  const fdb = (...args: string[]) => execFileSync('bridge', ['fdb', ...args], { encoding: 'utf8' });
  const macOf = (name: string) => JSON.parse(ip('-j', 'link', 'show', name))[0].address;
  fdb('del', macOf(VETH), 'dev', VETH, 'master', 'local');
  await sleep(120);
  expect(heard).toEqual([]);
  const before = t.kernel.observe();
  fdb('del', macOf(BRIDGE), 'dev', BRIDGE, 'self', 'local');
  await told({ kind: 'link', ns: 'host', name: BRIDGE });
  expect(heard).toHaveLength(1);
  const plan = diff(t.kernel.observe(), before);
  expect(plan).toHaveLength(1);
  t.kernel.apply(plan);
  expect(t.kernel.observe()).toEqual(before);
  expect(fdb('show', 'br', BRIDGE)).toContain(`${macOf(BRIDGE)} dev ${BRIDGE} master ${BRIDGE} permanent`);
});

test('a bridge by a name of the list is ours, a foreign link is not', async () => {
  ip('link', 'add', 'docker0', 'type', 'bridge');
  ip('link', 'add', 'lan0', 'type', 'bridge');
  await told({ kind: 'link', ns: 'host', name: 'docker0' });
  expect(heard).not.toContainEqual(expect.objectContaining({ name: 'lan0' }));
  ip('link', 'delete', 'docker0');
  ip('link', 'delete', 'lan0');
});

test('a foreign nftables transaction is told of, also a flush', async () => {
  await quiet();
  execFileSync('nft', ['add', 'table', 'inet', 'foreign']);
  await told({ kind: 'nftables' });
  expect(heard).toHaveLength(1);
  heard = [];
  execFileSync('nft', ['flush', 'ruleset']);
  await told({ kind: 'nftables' });
  expect(heard).toHaveLength(1);
});

test('an nftables transaction of this process is not', async () => {
  await quiet();
  const begin = (type: number) => message(type, 0, Buffer.from([0, 0, 0, 10]));
  const table = Buffer.from('\x0a\x00\x01\x00probe\x00\x00\x00', 'latin1');
  withSocket(NETLINK.NETFILTER, 'host', (socket) =>
    socket.request(
      [begin(16), message(0xa00, 0x404, Buffer.from([1, 0, 0, 0]), table), begin(17)],
      'table create',
    ),
  );
  await sleep(120);
  expect(execFileSync('nft', ['list', 'tables'], { encoding: 'utf8' })).toContain('table inet probe');
  expect(heard).toEqual([]);
  execFileSync('nft', ['flush', 'ruleset']);
});

test('when events were lost, all that differs is told of, by one look at all', async () => {
  const more = Array.from({ length: 20 }, (_, n) => `br-${n.toString(16).padStart(12, '0')}`).flatMap(
    (name, n) => [bridge(name), address('host', name, `10.9.${n}.1/24`)],
  );
  t.kernel.apply(build([...plugged(), ...more]));
  await quiet();
  const dump = vi.spyOn(NetlinkSocket.prototype, 'dump');
  const dumps = (what: string): number => dump.mock.calls.filter((call) => call[1] === what).length;
  // More notifications than the socket holds, while nobody reads them.
  const socket = hostSocket(NETLINK.ROUTE);
  for (let i = 0; i < 60; i++)
    socket.request(
      Array.from({ length: 1000 }, (_, n) => changeLink(BRIDGE, { mtu: n % 2 ? 1400 : 1500 })),
      'mtu',
    );
  ip('link', 'set', VETH, 'nomaster');
  await told({ kind: 'link', ns: 'host', name: VETH });
  await told({ kind: 'route' });
  expect(dumps('link dump')).toBeGreaterThan(0);
  expect(dumps('address dump')).toBeLessThanOrEqual(dumps('link dump'));
  expect(dumps('route dump')).toBeLessThanOrEqual(2 * dumps('link dump'));
  expect(dumps('fdb dump')).toBeLessThanOrEqual(dumps('link dump'));
  expect(heard, 'of the tables nothing was lost').not.toContainEqual({ kind: 'nftables' });
});

test('an address of ours that the plan removes is not told of', async () => {
  t.kernel.apply(build(network()));
  await quiet();
  t.kernel.apply([{ op: 'delete', object: address('host', BRIDGE, '172.18.0.1/16') }]);
  await sleep(120);
  expect(heard).toEqual([]);
});
