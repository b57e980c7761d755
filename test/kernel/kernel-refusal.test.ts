/** Refused plans: what was applied is taken back, in the kernel, the tables and the daemon; order of batches. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { KernelError, leftDirty } from '../../src/errors.js';
import { readSysctl, writeSysctl } from '../../src/kernel/sysctl.js';
import type { HostPortObject, KernelObject } from '../../src/plan/objects.js';
import { BRIDGE, build, diff, element, endpoint, keys, network, testKernel } from './kernel-support.js';

let t: ReturnType<typeof testKernel>;
beforeEach(() => {
  t = testKernel();
});
afterEach(async () => {
  t.hostPorts.refuse.clear();
  t.kernel.apply(diff(t.kernel.observe(), []));
  await t.end();
});

const port = (n: number): HostPortObject => ({
  kind: 'hostport',
  protocol: 'tcp',
  address: '0.0.0.0',
  port: n,
  count: 1,
  target: { address: '172.18.0.2', port: n },
});
const world = (): readonly KernelObject[] => [
  ...network(),
  { kind: 'netns', path: t.sandbox('a') },
  ...endpoint(t.sandbox('a'), 2, BRIDGE),
  { kind: 'sysctl', ns: t.sandbox('a'), path: 'net/ipv4/conf/eth0/arp_notify', value: '1' },
  { kind: 'sysctl', ns: t.sandbox('a'), path: 'net/ipv4/ip_forward', value: '1' },
  element('guards', 'eth0', true),
  element('opens', '80'),
  port(80),
];

test('guards go in one batch before the links, openings in one batch behind the ports', () => {
  t.kernel.apply(build([...world(), element('guards', 'eth1', true), element('opens', '81')]));
  expect(t.nftables.batches.map((b) => b.map((c) => `${c.op} ${c.element.set}`))).toEqual([
    ['add guards', 'add guards'],
    ['add opens', 'add opens'],
  ]);
});

test('the error of a held port keeps its class and message, and everything else is taken back', async () => {
  t.hostPorts.refuse.add('hostport tcp 0.0.0.0 80+1');
  expect(() => t.kernel.apply(build(world()))).toThrow('refused hostport tcp 0.0.0.0 80+1');
  await t.kernel.settled();
  expect(t.kernel.observe()).toEqual([]);
});

test('a refused batch takes back links, ports and sysctls', async () => {
  t.kernel.apply(build([{ kind: 'netns', path: t.sandbox('a') }]));
  // A new namespace takes the machine's value, which may be what the plan writes already.
  writeSysctl(t.sandbox('a'), 'net/ipv4/ip_forward', '0');
  t.nftables.refuse = 'element inet opens 80';
  const sandbox = world().filter((o) => o.kind !== 'netns');
  expect(() => t.kernel.apply(build(sandbox))).toThrow('refused element inet opens 80');
  expect(readSysctl(t.sandbox('a'), 'net/ipv4/ip_forward')).toBe('0');
  expect(keys(t.kernel.observe())).toEqual([`netns ${t.sandbox('a')}`]);
  t.nftables.refuse = undefined;
});

test('a refused drop leaves the sandbox as it was', () => {
  t.kernel.apply(build(world()));
  const gone: KernelObject = { kind: 'address', ns: 'host', link: 'nolink', address: '10.0.0.1/8' };
  const plan = [...diff(world(), []), { op: 'create' as const, object: gone }];
  expect(() => t.kernel.apply(plan)).toThrow(KernelError);
  expect(
    diff(
      t.kernel.observe().filter((o) => o.kind !== 'sysctl'),
      world().filter((o) => o.kind !== 'sysctl'),
    ),
  ).toEqual([]);
  for (const o of world()) expect([o, t.kernel.present(o)]).toEqual([o, true]);
});

test('a refusal among addresses of one datagram takes back those behind it too', () => {
  t.kernel.apply(build(network()));
  const more = (text: string): KernelObject => ({ kind: 'address', ns: 'host', link: BRIDGE, address: text });
  const route: KernelObject = {
    kind: 'route',
    ns: 'host',
    family: 4,
    destination: '10.9.0.0/16',
    link: BRIDGE,
    via: '9.9.9.9',
  };
  const plan = [more('10.0.0.1/8'), route, more('10.0.0.2/8')].map((object) => ({
    op: 'create' as const,
    object,
  }));
  const refusal = (() => {
    try {
      t.kernel.apply(plan);
    } catch (error) {
      return error;
    }
  })();
  expect(refusal).toMatchObject({
    errno: 101,
    operation: `route create host 10.9.0.0/16 0`,
    acknowledgement: 'Nexthop has invalid gateway',
  });
  expect(leftDirty(refusal)).toBe(false);
  expect(diff(t.kernel.observe(), network())).toEqual([]);
});

test('an inverse that is refused as well is told of', () => {
  const held = t.hostPorts;
  const [first, second] = [port(80), port(81)];
  t.hostPorts.refuse.add('hostport tcp 0.0.0.0 81+1');
  held.delete = () => {
    throw new Error('stuck');
  };
  const refusal = (() => {
    try {
      t.kernel.apply(build([first, second]));
    } catch (error) {
      return error;
    }
  })();
  expect(refusal).toMatchObject({ message: 'refused hostport tcp 0.0.0.0 81+1' });
  expect(leftDirty(refusal)).toBe(true);
  Reflect.deleteProperty(held, 'delete');
});
