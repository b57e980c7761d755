/**
 * FAST (ADR 39): what a container sends to a neighbour goes past the bridge, and nothing else does. The kernel layer's part: the guard of
 * ports is not here (`firewall-spoofing-fastpath.test.ts`), so what the program leaves alone is seen on the bridge.
 */
import { execFileSync } from 'node:child_process';
import { readdirSync, readlinkSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { attempt } from '../../src/errors.js';
import type { Drift } from '../../src/kernel/contract.js';
import type { FastpathObject, KernelObject, ShortcutObject } from '../../src/plan/objects.js';
import { bridgeNetfilter, bridgeNetfilterWays, sysctl } from '../support/firewall-lab.js';
import { arp, datagram, type Ends, icmpv6, sendFrame, tagged, Watch } from '../support/frames.js';
import { until } from '../support/run.js';
import { BRIDGE, bridge, build, diff, endpoint, inside, ip, testKernel, veth } from './kernel-support.js';

const OTHER = 'br-ba9876543210';
const readlinks = (): readonly string[] =>
  readdirSync('/proc/self/fd').flatMap((fd) => attempt(() => readlinkSync(`/proc/self/fd/${fd}`)) ?? []);
const tc = (...args: string[]): string => execFileSync('tc', args, { encoding: 'utf8' });

interface Box {
  readonly ns: string;
  readonly port: string;
  readonly mac: string;
  readonly v4: string;
  readonly v6: string;
  readonly objects: readonly KernelObject[];
}

const box = (ns: string, n: number, on: string, more: Partial<ShortcutObject> = {}): Box => {
  const digits = n.toString(16).padStart(2, '0');
  const [port, mac] = [`veth${n.toString(16).padStart(11, '0')}`, `02:42:ac:12:00:${digits}`];
  const [v4, v6] = [`172.18.0.${n}`, `fd00::${n.toString(16)}`];
  const own = { mac, ipv4: v4, ipv6: v6, always: true };
  const shortcut: ShortcutObject = { kind: 'shortcut', link: port, bridge: on, ...own, ...more };
  return { ns, port, mac, v4, v6, objects: [...endpoint(ns, n, on), shortcut] };
};
const fastpath = (name: string): FastpathObject => ({ kind: 'fastpath', bridge: name, always: true });

let world = testKernel();
let a: Box | undefined;
let b: Box | undefined;
let c: Box | undefined;
let d: Box | undefined;
const drift: Drift[] = [];

const boxes = (): readonly Box[] => [a, b, c, d].flatMap((each) => each ?? []);
const the = (box: Box | undefined): Box => {
  if (!box) throw new Error('no such box');
  return box;
};
const network = (): readonly KernelObject[] => [
  bridge(BRIDGE),
  fastpath(BRIDGE),
  bridge(OTHER, { mac: '02:42:00:00:00:02' }),
  fastpath(OTHER),
];
const all = (): readonly KernelObject[] => [
  ...network(),
  ...boxes().flatMap(({ ns, objects }) => [{ kind: 'netns', path: ns } as const, ...objects]),
];

const ends = (from: Box, to: Box, change: Partial<Ends> = {}): Ends => ({
  fromMac: from.mac,
  toMac: to.mac,
  from: from.v4,
  to: to.v4,
  ...change,
});
const six = (from: Box, to: Box, change: Partial<Ends> = {}): Ends =>
  ends(from, to, { from: from.v6, to: to.v6, ...change });

type Outcome = 'past' | 'bridge' | 'lost';
let count = 0;
/**
 * How a frame gets there: past the bridge, by it, or not at all. The host sees a frame where its sender's port receives it, and again where
 * a bridge sends it on. One for everybody follows, which always takes the bridge; `behind`: from whom.
 */
const wayOf = (from: Box, to: Box, make: (text: string) => Buffer, behind = from): Outcome => {
  const [text, end] = [`frame ${++count}`.padEnd(12), `behind ${count}`.padEnd(12)];
  const frame = make(text);
  const [host, there] = [new Watch('host'), new Watch(to.ns)];
  try {
    sendFrame(from.ns, 'eth0', frame);
    const everybody = { toMac: 'ff:ff:ff:ff:ff:ff', to: '172.18.255.255' };
    sendFrame(behind.ns, 'eth0', datagram(ends(behind, to, everybody), 9, end));
    // An answer of the receiver's stack quotes it.
    const has = (seen: Buffer): boolean =>
      seen.includes(text) && seen.subarray(0, 12).equals(frame.subarray(0, 12));
    const arrived = there.until(Buffer.from(end)).some(has);
    const seen = host.until(Buffer.from(end)).filter(has).length;
    if (!arrived) return 'lost';
    return seen === 1 ? 'past' : 'bridge';
  } finally {
    host.close();
    there.close();
  }
};
const udp = (from: Box, to: Box, change: Partial<Ends> = {}) =>
  wayOf(from, to, (text) => datagram(ends(from, to, change), 9, text));
const udp6 = (from: Box, to: Box, change: Partial<Ends> = {}) =>
  wayOf(from, to, (text) => datagram(six(from, to, change), 9, text));

/** What the containers' own stacks say of a request and its answer. */
const pings = (from: Box, address: string): boolean => {
  try {
    inside(from.ns, 'ping', '-c1', '-W2', address);
    return true;
  } catch {
    return false;
  }
};
const received = ({ ns }: Box): number =>
  JSON.parse(inside(ns, 'ip', '-s', '-j', 'link', 'show', 'eth0'))[0].stats64.rx.packets;

/** As a daemon that comes back: nothing is known, and all is made again that is not there. */
const restart = async (): Promise<void> => {
  await world.kernel.close();
  const { kernel } = testKernel({ namespaces: world.namespaces });
  world = { ...world, kernel };
  watch();
};
const observed = (): readonly KernelObject[] => {
  const unmarked = all().filter((o) => o.kind === 'sysctl' && world.kernel.present(o));
  return [...world.kernel.observe(), ...unmarked];
};
const watch = (): void => {
  world.kernel.watch((found) => drift.push(...found));
};
const converge = (): number => {
  const plan = diff(observed(), all());
  world.kernel.apply(plan);
  return plan.length;
};

beforeAll(() => {
  for (const each of ['all', 'default']) sysctl(`ipv6/conf/${each}/accept_dad`, '0');
  bridgeNetfilter('0');
  a = box(world.sandbox('a'), 2, BRIDGE);
  b = box(world.sandbox('b'), 3, BRIDGE);
  c = box(world.sandbox('c'), 4, OTHER);
  d = box(world.sandbox('d'), 5, OTHER);
  watch();
  world.kernel.apply(build(all()));
});
afterAll(() => world.end());

describe('between two containers of a network', () => {
  test('IPv4 and IPv6 pass the bridge by, there and back, and their stacks take them', () => {
    expect([udp(the(a), the(b)), udp6(the(a), the(b)), udp(the(b), the(a))]).toEqual([
      'past',
      'past',
      'past',
    ]);
    expect([pings(the(a), the(b).v4), pings(the(a), the(b).v6)]).toEqual([true, true]);
  });
  test('the receiver’s counters count it', () => {
    const before = received(the(b));
    const frame = datagram(ends(the(a), the(b)), 9, 'counted');
    for (let i = 0; i < 20; i += 1) sendFrame(the(a).ns, 'eth0', frame);
    expect(udp(the(a), the(b))).toBe('past');
    expect(received(the(b)) - before).toBeGreaterThanOrEqual(20);
  });
  test('nothing else does: others’ MACs and addresses, ARP, neighbour discovery, tags, what hides behind a header', () => {
    const [from, to] = [the(a), the(b)];
    const hidden = (text: string): Buffer => {
      const frame = datagram(six(from, to), 9, text);
      frame.writeUInt8(60, 20); // destination options
      return frame;
    };
    expect({
      mac: udp(from, to, { fromMac: '02:42:ac:12:00:99' }),
      address: udp(from, to, { from: '172.18.0.9' }),
      none: udp(from, to, { from: '0.0.0.0' }),
      address6: udp6(from, to, { from: 'fd00::9' }),
      linkLocal: udp6(from, to, { from: 'fe80::9' }),
      everybody: udp(from, to, { toMac: 'ff:ff:ff:ff:ff:ff' }),
      tagged: wayOf(from, to, (text) => tagged(datagram(ends(from, to), 9, text), 0x8100, 0)),
      discovery: wayOf(from, to, (text) => icmpv6(six(from, to), 136, 0, Buffer.from(text))),
      hidden: wayOf(from, to, hidden),
      arp: wayOf(from, to, (text) => Buffer.concat([arp(2, ends(from, to)), Buffer.from(text)])),
    }).toEqual({
      ...{ mac: 'bridge', address: 'bridge', none: 'bridge', address6: 'bridge', linkLocal: 'bridge' },
      ...{ everybody: 'bridge', tagged: 'bridge', discovery: 'bridge', hidden: 'bridge', arp: 'bridge' },
    });
  });
  test('a container without an address of a family takes the bridge with all of it', async () => {
    const { ipv6: _, ...four } = the(b).objects.find((o) => o.kind === 'shortcut') as ShortcutObject;
    world.kernel.apply([{ op: 'replace', object: four, before: four }]);
    expect([udp6(the(b), the(a), { from: '::' }), udp6(the(b), the(a))]).toEqual(['bridge', 'bridge']);
    expect(converge()).toBeGreaterThan(0);
    expect(udp6(the(b), the(a))).toBe('past');
  });
});

test('never into another network: neither by the MAC of somebody there nor with its MAC and address', () => {
  const there = (from: Box, to: Box, change: Partial<Ends> = {}) =>
    wayOf(from, to, (text) => datagram(ends(from, to, change), 9, text), the(d));
  expect(there(the(a), the(c))).toBe('lost');
  expect(there(the(a), the(c), { fromMac: the(d).mac, from: the(d).v4 })).toBe('lost');
  expect(there(the(d), the(c))).toBe('past');
});

test('two of one MAC: the bridge decides, and when one is gone there is a shortcut again', () => {
  const twin = box(world.sandbox('twin'), 6, BRIDGE, { mac: the(b).mac, ipv4: '172.18.0.6' });
  const objects = [{ kind: 'netns', path: twin.ns } as const, ...twin.objects];
  world.kernel.apply(build(objects));
  expect(udp(the(a), the(b))).toBe('bridge');
  world.kernel.apply(diff(objects, []));
  expect(udp(the(a), the(b))).toBe('past');
});

describe('what is in its way', () => {
  const told = async (kind: Drift['kind'], work: () => void): Promise<void> => {
    drift.length = 0;
    work();
    await until(`${kind} is told of`, () => drift.some((each) => each.kind === kind));
  };
  test('a limit of bandwidth on a port suspends its shortcut, and is met', async () => {
    const limit = ['dev', the(b).port, 'root', 'tbf', 'rate', '1mbit', 'burst', '10k', 'latency', '50ms'];
    await told('suspended', () => tc('qdisc', 'add', ...limit));
    expect([udp(the(a), the(b)), udp(the(b), the(a))]).toEqual(['bridge', 'bridge']);
    expect(world.kernel.suspended()).toEqual([
      { name: the(b).port, reason: expect.stringContaining('queueing discipline tbf') },
    ]);
    expect(converge()).toBe(0);
    await told('suspended', () => tc('qdisc', 'del', 'dev', the(b).port, 'root'));
    expect([udp(the(a), the(b)), world.kernel.suspended()]).toEqual(['past', []]);
  });
  test('so do filters on what the port sends; those on what it receives are asked first', async () => {
    // Returns 2, TC_ACT_SHOT.
    const drop = ['protocol', 'all', 'pref', '1', 'bpf', 'direct-action', 'bytecode', '1,6 0 0 2'];
    await told('suspended', () => tc('filter', 'add', 'dev', the(b).port, 'egress', ...drop));
    expect(world.kernel.suspended()).toHaveLength(1);
    await told('suspended', () => tc('filter', 'del', 'dev', the(b).port, 'egress'));
    tc('filter', 'add', 'dev', the(a).port, 'ingress', ...drop);
    expect(wayOf(the(a), the(b), (text) => datagram(ends(the(a), the(b)), 9, text), the(b))).toBe('lost');
    tc('filter', 'del', 'dev', the(a).port, 'ingress', 'pref', '1');
    expect(udp(the(a), the(b))).toBe('past');
  });
  test.runIf(bridgeNetfilterWays.length > 1)(
    'the host’s rules, where br_netfilter shows them what bridges carry',
    async () => {
      const aside = (always: boolean) => {
        const before = fastpath(BRIDGE);
        world.kernel.apply([{ op: 'replace', object: { ...before, always }, before }]);
        for (const { port } of [the(a), the(b)]) {
          const o = all().find((each) => each.kind === 'shortcut' && each.link === port) as ShortcutObject;
          world.kernel.apply([{ op: 'replace', object: { ...o, always }, before: o }]);
        }
      };
      await told('suspended', () => bridgeNetfilter('1'));
      expect([udp(the(a), the(b)), world.kernel.suspended()]).toEqual(['past', []]);
      aside(false);
      expect([udp(the(a), the(b)), udp(the(c), the(d))]).toEqual(['bridge', 'past']);
      expect(world.kernel.suspended()).toEqual([
        { name: BRIDGE, reason: expect.stringContaining('br_netfilter') },
      ]);
      await told('suspended', () => bridgeNetfilter('0'));
      expect([udp(the(a), the(b)), world.kernel.suspended()]).toEqual(['past', []]);
      aside(true);
    },
  );
});

describe('others', () => {
  test('who takes the filter away is heard of, and it is put back', async () => {
    drift.length = 0;
    tc('qdisc', 'del', 'dev', the(a).port, 'clsact');
    expect(udp(the(a), the(b))).toBe('bridge');
    await until('it is told of', () =>
      drift.some((each) => each.kind === 'link' && each.name === the(a).port),
    );
    expect(converge()).toBe(1);
    expect([udp(the(a), the(b)), converge()]).toEqual(['past', 0]);
  });
  test('a port that is gone is a black hole to its neighbours until the plan is through, and no leak', async () => {
    const { ns, port } = the(b);
    ip('link', 'del', port);
    world.kernel.apply(build([veth(port, OTHER, ns, { peerMac: the(b).mac })]));
    const frame = (text: string): Buffer => datagram(ends(the(a), the(b)), 9, text);
    expect(wayOf(the(a), the(b), frame, the(d))).toBe('lost');
    world.kernel.apply(diff([veth(port, OTHER, ns, { peerMac: the(b).mac })], []));
    await world.kernel.settled();
    expect(converge()).toBeGreaterThan(0);
    expect([udp(the(a), the(b)), converge()]).toEqual(['past', 0]);
  });
});

describe('the daemon', () => {
  test('dies: all goes by the bridge; comes back: what it finds is used again', async () => {
    await world.kernel.close();
    // The kernel empties the array a moment later.
    await until('the bridge has it all', () => udp(the(a), the(b)) === 'bridge');
    expect(pings(the(a), the(b).v4)).toBe(true);
    await restart();
    expect(converge()).toBeGreaterThan(0);
    expect([udp(the(a), the(b)), udp6(the(b), the(a)), converge()]).toEqual(['past', 'past', 0]);
    const filters = tc('filter', 'show', 'dev', the(a).port, 'ingress');
    expect(filters.match(/handle/g)).toHaveLength(1);
  });
  test('takes a container off: its shortcut goes before its port does', () => {
    const objects = [{ kind: 'netns', path: the(b).ns } as const, ...the(b).objects];
    const plan = diff(objects, []);
    expect(plan.slice(0, 2).map(({ op, object }) => `${op} ${object.kind}`)).toEqual([
      'delete shortcut',
      'delete link',
    ]);
    world.kernel.apply(plan);
    converge();
    expect(udp(the(a), the(b))).toBe('past');
  });
  test('has no program any more when no network has shortcuts', () => {
    const fast = all().filter(({ kind }) => kind === 'fastpath' || kind === 'shortcut');
    world.kernel.apply(diff(fast, []));
    expect(tc('filter', 'show', 'dev', the(a).port, 'ingress')).toBe('');
    expect(udp(the(a), the(b))).toBe('bridge');
    expect(readlinks().filter((to) => to.includes('bpf'))).toEqual([]);
  });
});

test('where the kernel refuses, one sentence says what it lacks and what to do', () => {
  const program = `
    import { fastpathBackEnd } from './src/kernel/back-ends/fastpath.ts';
    const object = { kind: 'fastpath', bridge: 'br0', always: true };
    try { fastpathBackEnd().run([{ op: 'create', object }], {}, () => {}); } catch (error) { console.log(error.kind, error.message); }`;
  const without = ['--bounding-set', '-sys_admin,-bpf,-net_admin', '--inh-caps', '-all'];
  const node = [process.execPath, '--import', 'tsx', '--input-type=module', '-e', program];
  const said = execFileSync('setpriv', [...without, ...node], { encoding: 'utf8' });
  expect(said).toMatch(
    /^invalid viaduct.fastpath: the kernel refuses what it needs \(bpf map viaduct_owns: EPERM\)/,
  );
  expect(said).toContain('make the network without the option');
});
