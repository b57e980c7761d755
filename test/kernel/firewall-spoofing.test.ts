/**
 * Safety 6: a container with NET_RAW takes nobody's address. Every attack is made twice: it must fail, and with the port's
 * guard removed the same frame must arrive, or the test would prove nothing.
 */
import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { linkLocalOf } from '../../src/firewall/endpoint.js';
import { relayElements } from '../../src/firewall/index.js';
import type { ElementObject } from '../../src/plan/objects.js';
import { bridgeNetfilter, ip, ipIn, Lab, type LabContainer, nat, sysctl } from '../support/firewall-lab.js';
import { arp, datagram, type Ends, icmpv6, neighbour, sendFrame, tagged, Watch } from '../support/frames.js';

const BROADCAST = 'ff:ff:ff:ff:ff:ff';
const ALL_NODES = { toMac: '33:33:00:00:00:01', to: 'ff02::1' };
const GATEWAY = { mac: '', v4: '172.18.0.1', v6: 'fd00:18::1' };

let lab: Lab;
let mallory: LabContainer;
let victim: LabContainer;
let router: LabContainer;
let carrier: LabContainer;
let outside: string;

const guardOf = (port: string): ElementObject => {
  const found = lab.nftables.elements().find((e) => e.set === 'guards' && e.key[0] === port);
  if (!found) throw new Error(`${port} has no guard`);
  return found;
};
const unguarded = (port: string, work: () => void): void => {
  const element = guardOf(port);
  lab.nftables.apply([{ op: 'delete', element }]);
  try {
    work();
  } finally {
    lab.nftables.apply([{ op: 'add', element }]);
  }
};

let sent = 0;
/** An honest frame for everybody, which always takes the bridge, follows behind: when it has come, what has not come by then was dropped. */
const arrives = (from: LabContainer, to: LabContainer, frame: Buffer): boolean => {
  const watch = new Watch(to.ns);
  const text = `behind ${++sent}`;
  const ends = { fromMac: from.mac, toMac: BROADCAST, from: from.v4, to: to.v4 };
  try {
    sendFrame(from.ns, 'eth0', frame);
    sendFrame(from.ns, 'eth0', datagram(ends, 53, text.padEnd(12)));
    return watch.until(Buffer.from(text)).some((each) => each.includes(frame.subarray(-20)));
  } finally {
    watch.close();
  }
};
const blocked = (frame: Buffer): void => {
  expect(arrives(mallory, victim, frame)).toBe(false);
  unguarded(mallory.port, () => expect(arrives(mallory, victim, frame)).toBe(true));
};
const passes = (frame: Buffer): void => expect(arrives(mallory, victim, frame)).toBe(true);

const honest4 = (change: Partial<Ends> = {}): Ends => ({
  fromMac: mallory.mac,
  toMac: victim.mac,
  from: mallory.v4,
  to: victim.v4,
  ...change,
});
const honest6 = (change: Partial<Ends> = {}): Ends => ({
  ...honest4(),
  from: mallory.v6,
  to: victim.v6,
  ...change,
});

/** So that the bridge knows the victim's port. */
const speak = (): void =>
  sendFrame(
    victim.ns,
    'eth0',
    arp(1, { ...honest4(), fromMac: victim.mac, from: victim.v4, toMac: BROADCAST }),
  );

beforeAll(() => {
  lab = new Lab();
  bridgeNetfilter('0');
  outside = lab.machine('outside', 'wan0', ['192.0.2.1/24'], ['192.0.2.2/24']);
  lab.nftables.apply(relayElements(40_000).map((element) => ({ op: 'add', element })));
  const a = lab.network({
    bridge: 'br-a',
    internal: false,
    icc: true,
    families: [nat(4, '172.18.0.0/24', GATEWAY.v4), nat(6, 'fd00:18::/64', GATEWAY.v6)],
    gateways: [`${GATEWAY.v4}/24`, `${GATEWAY.v6}/64`],
  });
  victim = lab.container('victim', a, '172.18.0.2/24', 'fd00:18::2/64', {
    bindings: ['127.0.0.1', '192.0.2.1'].map((hostIp) => ({
      protocol: 'udp',
      hostIp,
      hostPort: 53,
      containerPort: 53,
      count: 1,
    })),
  });
  mallory = lab.container('mallory', a, '172.18.0.3/24', 'fd00:18::3/64');
  router = lab.container('router', a, '172.18.0.4/24', '', { forwards: true });
  carrier = lab.container('carrier', a, '172.18.0.5/24', 'fd00:18::5/64', {
    carried: ['10.244.1.0/24', '172.18.0.100', 'fd00:18::100', 'fd00:244::/64'],
  });
  GATEWAY.mac = /ether (\S+)/.exec(ip('link show br-a'))?.[1] ?? '';
  speak();
});
afterAll(() => lab?.close());

describe('a container’s own packets pass', () => {
  test('IPv4 and IPv6', () => {
    passes(datagram(honest4(), 53, 'honest'));
    passes(datagram(honest6(), 53, 'honest'));
  });
  test('ARP, gratuitous and before it has the address', () => {
    passes(arp(1, honest4({ toMac: BROADCAST })));
    passes(arp(2, honest4({ toMac: BROADCAST, to: mallory.v4 })));
    passes(arp(1, honest4({ toMac: BROADCAST, from: '0.0.0.0', to: mallory.v4 })));
  });
  test('neighbour discovery, from its link-local address too', () => {
    const own = linkLocalOf(mallory.mac);
    passes(neighbour(135, honest6({ ...ALL_NODES, from: '::' }), mallory.v6));
    passes(neighbour(135, honest6({ from: own }), victim.v6));
    passes(neighbour(136, honest6({ ...ALL_NODES, from: own }), mallory.v6));
    passes(neighbour(136, honest6({ ...ALL_NODES, from: own }), own));
    expect(ipIn(mallory.ns, 'addr show dev eth0')).toContain(own);
  });
});

describe('N F8: a container with further addresses of its user’s', () => {
  const ends4 = (change: Partial<Ends> = {}): Ends => ({
    fromMac: carrier.mac,
    toMac: victim.mac,
    from: '172.18.0.100',
    to: victim.v4,
    ...change,
  });
  const ends6 = (change: Partial<Ends> = {}): Ends => ({
    ...ends4(),
    from: 'fd00:18::100',
    to: victim.v6,
    ...change,
  });
  const may = (frame: Buffer): void => expect(arrives(carrier, victim, frame)).toBe(true);
  const mayNot = (frame: Buffer): void => {
    expect(arrives(carrier, victim, frame)).toBe(false);
    unguarded(carrier.port, () => expect(arrives(carrier, victim, frame)).toBe(true));
  };
  test('sends with them, and with its own', () => {
    for (const from of ['172.18.0.100', '10.244.1.0', '10.244.1.255', carrier.v4])
      may(datagram(ends4({ from }), 53, 'carried!'));
    for (const from of ['fd00:18::100', 'fd00:244::77', carrier.v6])
      may(datagram(ends6({ from }), 53, 'carried!'));
  });
  test('answers for them: ARP and neighbour discovery', () => {
    may(arp(2, ends4()));
    may(arp(1, ends4({ toMac: BROADCAST, to: '172.18.0.100' })));
    may(neighbour(136, ends6({ ...ALL_NODES }), 'fd00:18::100'));
    may(neighbour(135, ends6({ ...ALL_NODES, from: '::' }), 'fd00:18::100'));
  });
  test('the host reaches it there', () => {
    ipIn(carrier.ns, 'addr add 172.18.0.100/32 dev eth0');
    ipIn(carrier.ns, 'addr add fd00:18::100/128 dev eth0 nodad');
    for (const address of ['172.18.0.100', 'fd00:18::100'])
      execFileSync('ping', ['-c1', '-W2', address], { stdio: 'pipe' });
  });
  test('takes no others, and no other MAC', () => {
    for (const from of ['172.18.0.101', '10.244.2.1', GATEWAY.v4])
      mayNot(datagram(ends4({ from }), 53, 'spoofed!'));
    for (const from of ['fd00:18::101', 'fd00:245::1']) mayNot(datagram(ends6({ from }), 53, 'spoofed!'));
    mayNot(datagram(ends4({ fromMac: '02:42:ac:00:00:99' }), 53, 'spoofed!'));
    mayNot(arp(2, ends4({ fromMac: '02:42:ac:00:00:99' })));
    mayNot(arp(2, ends4({ from: '172.18.0.101' })));
    mayNot(neighbour(136, ends6({ ...ALL_NODES }), 'fd00:18::101'));
  });
  test('nobody else has them', () => {
    blocked(datagram(honest4({ from: '172.18.0.100' }), 53, 'spoofed!'));
    blocked(arp(2, honest4({ from: '10.244.1.7' })));
    blocked(datagram(honest6({ from: 'fd00:244::7' }), 53, 'spoofed!'));
  });
});

test('N F8: what was dropped is counted by port and by reason', () => {
  const counted = (port: string, reason: string): number =>
    lab.nftables.dropped().find((each) => each.port === port && each.reason === reason)?.packets ?? 0;
  const reasons = {
    address: 'another address than its own',
    mac: 'another MAC than its own',
    router: 'router advertisements or redirects',
  };
  const before = Object.values(reasons).map((reason) => counted(mallory.port, reason));
  const victims = lab.nftables.dropped().filter((each) => each.port === victim.port);
  for (let i = 0; i < 3; i += 1)
    arrives(mallory, victim, datagram(honest4({ from: '10.9.9.9' }), 53, 'spoofed!'));
  arrives(mallory, victim, datagram(honest6({ fromMac: '02:42:ac:00:00:99' }), 53, 'spoofed!'));
  arrives(
    mallory,
    victim,
    icmpv6(honest6({ ...ALL_NODES, from: linkLocalOf(mallory.mac) }), 134, 0, Buffer.alloc(12)),
  );
  const after = Object.values(reasons).map((reason) => counted(mallory.port, reason));
  expect(after.map((n, i) => n - (before[i] ?? 0))).toEqual([3, 1, 1]);
  expect(lab.nftables.dropped().filter((each) => each.port === victim.port)).toEqual(victims);
});

describe('a container cannot take', () => {
  test('another’s IPv4 address, or the gateway’s, or any', () => {
    for (const from of ['172.18.0.9', GATEWAY.v4, router.v4, '10.9.9.9', '127.0.0.1'])
      blocked(datagram(honest4({ from }), 53, 'spoofed!'));
  });
  test('another’s IPv6 address, or the gateway’s, or any', () => {
    for (const from of ['fd00:18::9', GATEWAY.v6, linkLocalOf(GATEWAY.mac), 'fe80::1', '2001:db8::1', '::'])
      blocked(datagram(honest6({ from }), 53, 'spoofed!'));
  });
  test('another’s MAC, in the frame or in ARP', () => {
    blocked(datagram(honest4({ fromMac: '02:42:ac:00:00:99' }), 53, 'spoofed!'));
    blocked(datagram(honest6({ fromMac: '02:42:ac:00:00:99' }), 53, 'spoofed!'));
    blocked(arp(2, honest4({ fromMac: '02:42:ac:00:00:99' })));
    blocked(arp(2, { ...honest4(), claims: '02:42:ac:00:00:99' }));
  });
  test('the bridge’s memory of another’s port', () => {
    const port = () =>
      execFileSync('bridge', ['fdb', 'show', 'br', 'br-a'], { encoding: 'utf8' })
        .split('\n')
        .find((line) => line.startsWith(victim.mac));
    speak();
    expect(port()).toContain(victim.port);
    const theft = datagram(honest4({ fromMac: victim.mac, toMac: router.mac, to: router.v4 }), 53, 'theft!');
    sendFrame(mallory.ns, 'eth0', theft);
    expect(port()).toContain(victim.port);
    // An emulated processor may take a frame in later than it was sent; and a word of the victim's, asked by the router whether it is
    // still there, takes the place back at any time.
    let seen = port();
    unguarded(mallory.port, () => {
      for (let i = 0; i < 50 && !seen?.includes(mallory.port); i += 1) {
        sendFrame(mallory.ns, 'eth0', theft);
        seen = port();
      }
    });
    expect(seen).toContain(mallory.port);
    speak();
  });
  test('another’s address by ARP', () => {
    for (const from of [GATEWAY.v4, router.v4]) {
      blocked(arp(2, honest4({ from, toMac: BROADCAST })));
      blocked(arp(1, honest4({ from, toMac: BROADCAST })));
    }
  });
  test('another’s address by neighbour discovery', () => {
    for (const target of [GATEWAY.v6, linkLocalOf(GATEWAY.mac), 'fe80::1']) {
      blocked(neighbour(136, honest6({ ...ALL_NODES }), target));
      blocked(neighbour(135, honest6({ ...ALL_NODES, from: '::' }), target));
    }
    blocked(neighbour(135, honest6({ from: 'fd00:18::9' }), victim.v6));
  });
  test('the router’s part', () => {
    const own = linkLocalOf(mallory.mac);
    blocked(icmpv6(honest6({ ...ALL_NODES, from: own }), 134, 0x40000708, Buffer.alloc(8)));
    blocked(icmpv6(honest6({ from: own }), 137, 0, Buffer.alloc(32)));
  });
  test('anything by hiding in VLAN tags', () => {
    const spoofed = datagram(honest4({ from: GATEWAY.v4 }), 53, 'spoofed!');
    blocked(tagged(spoofed, 0x8100, 0));
    blocked(tagged(spoofed, 0x8100, 7));
    blocked(tagged(tagged(spoofed, 0x8100, 0), 0x88a8, 0));
    blocked(tagged(tagged(datagram(honest4(), 53, 'honest'), 0x8100, 0), 0x8100, 0));
    blocked(tagged(arp(2, honest4({ from: GATEWAY.v4 })), 0x8100, 0));
  });
});

describe('a container that is a router', () => {
  test('sends others’ packets, but not with another’s MAC or for another’s ARP and ND', () => {
    const ends = { fromMac: router.mac, toMac: victim.mac, from: '10.9.9.9', to: victim.v4 };
    expect(arrives(router, victim, datagram(ends, 53, 'routed'))).toBe(true);
    for (const frame of [
      datagram({ ...ends, fromMac: mallory.mac }, 53, 'stolen'),
      arp(2, { ...ends, from: GATEWAY.v4 }),
      neighbour(136, { ...ends, ...ALL_NODES, from: linkLocalOf(router.mac) }, GATEWAY.v6),
    ]) {
      expect(arrives(router, victim, frame)).toBe(false);
      unguarded(router.port, () => expect(arrives(router, victim, frame)).toBe(true));
    }
  });
});

describe('127.0.0.1', () => {
  test('is no neighbour’s, though a bridge routes it', () => {
    ip('link set wan0 address 02:00:00:00:aa:01');
    const frame = (to: string) =>
      datagram(
        { fromMac: '02:00:00:00:aa:02', toMac: '02:00:00:00:aa:01', from: '192.0.2.2', to },
        53,
        'loopback',
      );
    sysctl('ipv4/conf/wan0/route_localnet', '1');
    const heard = (to: string): boolean => {
      const watch = new Watch(victim.ns);
      sendFrame(outside, 'eth0', frame(to));
      sendFrame(mallory.ns, 'eth0', datagram(honest4(), 53, 'behind'));
      const found = watch.until(Buffer.from('behind')).some((each) => each.includes('loopback'));
      watch.close();
      return found;
    };
    expect(heard('127.0.0.1')).toBe(false);
    expect(heard('192.0.2.1')).toBe(true);
  });
});
