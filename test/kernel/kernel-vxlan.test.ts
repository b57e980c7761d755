/**
 * A network over two hosts: this one by the kernel layer, the other by hand. What containers send arrives, and nothing is ever
 * broadcast between the hosts.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Drift } from '../../src/kernel/contract.js';
import type {
  FdbObject,
  KernelObject,
  NeighbourObject,
  SysctlObject,
  VxlanLink,
} from '../../src/plan/objects.js';
import {
  address,
  BRIDGE,
  bridge,
  build,
  diff,
  inside,
  ip,
  keys,
  testKernel,
  veth,
} from './kernel-support.js';

const VX = 'vx-0123456789ab';
const OTHER = `vd-other-${process.pid}`;
const [HERE, THERE] = [
  ['192.0.2.1', '2001:db8:1::1'],
  ['192.0.2.2', '2001:db8:1::2'],
] as const;
const mac = (n: number): string => `02:42:0a:00:00:0${n}`;

const vxlan = (more: Partial<VxlanLink> = {}): VxlanLink => ({
  kind: 'link',
  type: 'vxlan',
  ns: 'host',
  name: VX,
  mtu: 1430,
  up: true,
  vni: 4711,
  local: HERE[0],
  port: 4789,
  master: BRIDGE,
  ...more,
});
const ipv6 = (link: string, name: string, value: string): SysctlObject => ({
  kind: 'sysctl',
  ns: 'host',
  path: `net/ipv6/conf/${link}/${name}`,
  value,
});
const fdb = (n: number, destination: string): FdbObject => ({
  kind: 'fdb',
  ns: 'host',
  link: VX,
  mac: mac(n),
  destination,
});
const neighbour = (n: number, text: string): NeighbourObject => ({
  kind: 'neighbour',
  ns: 'host',
  link: BRIDGE,
  address: text,
  mac: mac(n),
});
const remote = (n: number, destination: string): readonly KernelObject[] => [
  fdb(n, destination),
  neighbour(n, `10.0.0.${n}`),
  neighbour(n, `fd00::${n}`),
];

let t: ReturnType<typeof testKernel>;
beforeEach(() => {
  t = testKernel();
  ip('link', 'add', 'wire', 'type', 'veth', 'peer', 'name', 'far');
  execFileSync('ip', ['netns', 'add', OTHER]);
  ip('link', 'set', 'far', 'netns', OTHER);
  ip('link', 'set', 'wire', 'up');
  ip('address', 'add', `${HERE[0]}/24`, 'dev', 'wire');
  ip('address', 'add', `${HERE[1]}/64`, 'dev', 'wire', 'nodad');
});
afterEach(async () => {
  t.kernel.apply(diff(t.kernel.observe(), []));
  await t.end();
  execFileSync('ip', ['netns', 'del', OTHER]);
  execFileSync('sh', ['-c', 'ip link del wire 2>/dev/null || true']);
});

/** The other host by hand, its container in its own namespace for simplicity: the bridge's own address. */
const otherHost = (family: 0 | 1): void => {
  const run = (line: string) => execFileSync('ip', ['netns', 'exec', OTHER, 'sh', '-ec', line]);
  run(`
    ip link set lo up; ip link set far up
    ip address add ${THERE[0]}/24 dev far; ip address add ${THERE[1]}/64 dev far nodad
    ip link add br0 address ${mac(3)} mtu 1430 type bridge
    ip link add vx0 mtu 1430 type vxlan id 4711 local ${THERE[family]} dstport 4789 nolearning
    ip link set vx0 master br0 up; bridge link set dev vx0 learning off neigh_suppress on
    ip link set br0 up; ip address add 10.0.0.3/24 dev br0; ip address add fd00::3/64 dev br0 nodad
    bridge fdb replace ${mac(2)} dev vx0 self master static dst ${HERE[family]}
    ip neigh replace 10.0.0.2 lladdr ${mac(2)} dev br0 nud permanent
    ip -6 neigh replace fd00::2 lladdr ${mac(2)} dev br0 nud permanent`);
};

const network = (family: 0 | 1): readonly KernelObject[] => [
  bridge(BRIDGE, { mtu: 1430 }),
  vxlan({ local: HERE[family] }),
  ipv6(BRIDGE, 'addr_gen_mode', '1'),
  ipv6(VX, 'disable_ipv6', '1'),
];
const container = (ns: string): readonly KernelObject[] => [
  { kind: 'netns', path: ns },
  veth('veth00000000002', BRIDGE, ns, { mtu: 1430, peerMac: mac(2) }),
  address(ns, 'eth0', '10.0.0.2/24'),
  address(ns, 'eth0', 'fd00::2/64'),
];

/** All that passes between the hosts while `work` runs. */
const onTheWire = async (work: () => void): Promise<readonly string[]> => {
  const tcpdump: ChildProcess = spawn('tcpdump', ['-n', '-e', '-l', '--immediate-mode', '-i', 'wire'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  tcpdump.stdout?.on('data', (chunk: Buffer) => {
    said += chunk;
  });
  await once(tcpdump.stderr as NodeJS.ReadableStream, 'data'); // it listens
  work();
  await sleep(300);
  tcpdump.kill('SIGINT');
  await once(tcpdump, 'close');
  return said.split('\n').filter((line) => line !== '');
};

describe.each([
  ['IPv4', 0],
  ['IPv6', 1],
] as const)('D8: between hosts that have %s', (_, family) => {
  test('containers reach each other, and ask nobody on the wire', { timeout: 60_000 }, async () => {
    otherHost(family);
    const ns = t.sandbox('a');
    const world = [...network(family), ...container(ns), ...remote(3, THERE[family])];
    t.kernel.apply(build(world));
    const frames = await onTheWire(() => {
      expect(inside(ns, 'ping', '-c', '3', '-i', '0.2', '-W', '5', '10.0.0.3')).toContain(' 0% packet loss');
      expect(inside(ns, 'ping', '-c', '3', '-i', '0.2', '-W', '5', 'fd00::3')).toContain(' 0% packet loss');
      expect(inside(ns, 'ping', '-c', '1', '-W', '5', '-M', 'do', '-s', '1402', '10.0.0.3')).toContain(
        ' 0% packet loss',
      );
      // Nobody has this address: the question stays here.
      execFileSync('nsenter', [
        `--net=${ns}`,
        'sh',
        '-c',
        'ping -c 1 -W 1 10.0.0.77; ping -c 1 -W 1 fd00::77; true',
      ]);
    });
    const carried = frames.filter(
      (line) => line.includes('VXLAN') || line.includes('ICMP') || line.includes('.4789'),
    );
    expect(carried.length).toBeGreaterThan(0);
    expect(frames.filter((line) => /ff:ff:ff:ff:ff:ff.*(10\.0\.0|VXLAN)|33:33:ff.*fd00/.test(line))).toEqual(
      [],
    );
    expect(frames.filter((line) => /ARP.*10\.0\.0|neighbor.*fd00::/.test(line))).toEqual([]);
  });

  test.each(['10.0.0.3', 'fd00::3'])('who has been asking for %s is told when it comes', async (asked) => {
    otherHost(family);
    const ns = t.sandbox('a');
    const alone = [...network(family), ...container(ns)];
    t.kernel.apply(build(alone));
    // It asks once, and not again while this test runs.
    for (const ip of ['ipv4', 'ipv6'])
      inside(ns, 'sh', '-c', `echo 600000 >/proc/sys/net/${ip}/neigh/eth0/retrans_time_ms`);
    const asking = spawn('nsenter', [`--net=${ns}`, 'ping', '-c', '1', '-W', '10', asked], {
      stdio: 'ignore',
    });
    const ended = once(asking, 'close');
    await expect
      .poll(() => inside(ns, 'ip', 'neighbour', 'show', asked), { timeout: 5_000 })
      .toContain('INCOMPLETE');
    t.kernel.apply(diff(alone, [...alone, ...remote(3, THERE[family])]));
    expect(await ended).toEqual([0, null]);
  });
});

test('what is made is seen as it was made, and taken away whole', async () => {
  const world = [...network(0).slice(0, 2), ...remote(3, THERE[0]), ...remote(4, THERE[0])];
  t.kernel.apply(build(world));
  expect(keys(t.kernel.observe())).toEqual(keys(world));
  expect(diff(t.kernel.observe(), world)).toEqual([]);
  for (const o of world) expect([o, t.kernel.present(o)]).toEqual([o, true]);
  t.kernel.apply(build(world));
  const moved = [...network(0).slice(0, 2), ...remote(3, '192.0.2.9'), ...remote(4, THERE[0])];
  t.kernel.apply(diff(world, moved));
  expect(diff(t.kernel.observe(), moved)).toEqual([]);
  expect(execFileSync('bridge', ['fdb', 'show', 'dev', VX], { encoding: 'utf8' })).toMatch(
    new RegExp(`${mac(3)} dst 192.0.2.9 self`),
  );
  t.kernel.apply(diff(moved, moved.slice(0, 2)));
  expect(diff(t.kernel.observe(), moved.slice(0, 2))).toEqual([]);
  t.kernel.apply(diff(moved.slice(0, 2), []));
  await t.kernel.settled();
  expect(t.kernel.observe()).toEqual([]);
});

test('a device of another identifier is made anew with all it knows; one that went a moment ago is no obstacle', () => {
  const world = [...network(0).slice(0, 2), ...remote(3, THERE[0])];
  t.kernel.apply(build(world));
  const other = [bridge(BRIDGE, { mtu: 1430 }), vxlan({ vni: 4712 }), ...remote(3, THERE[0])];
  t.kernel.apply(diff(world, other));
  expect(diff(t.kernel.observe(), other)).toEqual([]);
  for (let i = 0; i < 3; i += 1) {
    t.kernel.apply(diff(other, []));
    t.kernel.apply(build(other));
  }
  expect(diff(t.kernel.observe(), other)).toEqual([]);
});

test('an identifier that somebody else’s device has is told of in words; theirs stays as it is', () => {
  ip('link', 'add', 'theirs', 'type', 'vxlan', 'id', '4711', 'dstport', '4789', 'local', HERE[0]);
  expect(() => t.kernel.apply(build(network(0).slice(0, 2)))).toThrow(
    /another VXLAN device of this host has VNI 4711/,
  );
  expect(t.kernel.observe()).toEqual([]);
  expect(ip('link', 'show', 'theirs')).toContain('theirs');
  ip('link', 'del', 'theirs');
});

describe('what others change is told of, and mended', () => {
  const heard: Drift[] = [];
  test.each<[string, string, string[]]>([
    ['the device is gone', 'ip', ['link', 'del', VX]],
    ['it was taken off its bridge', 'ip', ['link', 'set', VX, 'nomaster']],
    ['its port learns', 'bridge', ['link', 'set', 'dev', VX, 'learning', 'on']],
    ['it has forgotten where an address is', 'bridge', ['fdb', 'del', mac(3), 'dev', VX, 'self']],
    ['its bridge has', 'bridge', ['fdb', 'del', mac(3), 'dev', VX, 'master']],
  ])('%s', async (_, program, args) => {
    heard.length = 0;
    const world = [...network(0).slice(0, 2), ...remote(3, THERE[0])];
    t.kernel.apply(build(world));
    t.kernel.watch((drift) => void heard.push(...drift));
    await sleep(200);
    heard.length = 0;
    execFileSync(program, args);
    await expect
      .poll(() => heard, { timeout: 10_000 })
      .toContainEqual({ kind: 'link', ns: 'host', name: VX });
    const plan = diff(t.kernel.observe(), world);
    expect(plan.length).toBeGreaterThan(0);
    t.kernel.apply(plan);
    expect(diff(t.kernel.observe(), world)).toEqual([]);
  });

  test.each(['10.0.0.3', 'fd00::3'])('the bridge has forgotten the neighbour %s', async (lost) => {
    heard.length = 0;
    const world = [...network(0).slice(0, 2), ...remote(3, THERE[0])];
    t.kernel.watch((drift) => void heard.push(...drift));
    t.kernel.apply(build(world));
    await sleep(200);
    ip('neigh', 'del', lost, 'dev', BRIDGE);
    await expect
      .poll(() => heard, { timeout: 10_000 })
      .toContainEqual({ kind: 'link', ns: 'host', name: BRIDGE });
    t.kernel.apply(diff(t.kernel.observe(), world));
    expect(diff(t.kernel.observe(), world)).toEqual([]);
  });

  test('nothing is told of our own plans', async () => {
    heard.length = 0;
    t.kernel.watch((drift) => void heard.push(...drift));
    const world = [...network(0).slice(0, 2), ...remote(3, THERE[0]), ...remote(4, THERE[0])];
    t.kernel.apply(build(world));
    await sleep(150);
    t.kernel.apply(diff(world, world.slice(0, -3)));
    await sleep(150);
    t.kernel.apply(diff(world.slice(0, -3), []));
    await t.kernel.settled();
    await sleep(150);
    expect(heard).toEqual([]);
  });
});
