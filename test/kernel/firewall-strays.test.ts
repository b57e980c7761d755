/**
 * Packets that belong to no flow (conntrack's `invalid`): NAT passes them by, so one for a published port would reach the
 * host, whose reset ends the connection, and one of a container would leave with its private address.
 */
import { createServer, Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { relayElements } from '../../src/firewall/index.js';
import * as ffi from '../../src/kernel/ffi.js';
import { inNamespace } from '../../src/kernel/netns.js';
import { sockaddr } from '../../src/kernel/sockaddr.js';
import {
  bridgeNetfilter,
  bridgeNetfilterWays,
  ip,
  ipIn,
  Lab,
  type LabContainer,
  nat,
} from '../support/firewall-lab.js';
import { datagram, resequenced, segment, sendFrame, Watch } from '../support/frames.js';

const HOST = { ip4: '192.0.2.1', ip6: '2001:db8:1::1' };
const OUT = { ip4: '192.0.2.2', ip6: '2001:db8:1::2' };
const FLAGS = { RST: 4, FIN_ACK: 0x11, SYN_ACK: 0x12, ACK: 0x10 } as const;
const FAR = 200_000;

let lab: Lab;
let outside: string;
let shop: LabContainer;
let neighbour: LabContainer;
let routed: LabContainer;
let fixed: LabContainer;
const listeners: { close(): void }[] = [];

const macOf = (ns: string | undefined, link: string): string => {
  const text = ns === undefined ? ip(`-o link show ${link}`) : ipIn(ns, `-o link show ${link}`);
  return /link\/ether (\S+)/.exec(text)?.[1] ?? '';
};

/** Answers what it hears, for as long as the client likes. */
const echo = async (ns: string, port: number): Promise<void> => {
  const server = createServer((socket) => socket.on('error', () => {}).pipe(socket));
  const fd = inNamespace(ns, () => {
    const made = ffi.socket(ffi.AF.INET6, ffi.SOCK.STREAM | ffi.SOCK.NONBLOCK);
    ffi.bind(made, sockaddr('::', port));
    ffi.listen(made, 16);
    return made;
  });
  await new Promise<void>((resolve) => server.listen({ fd }, resolve));
  listeners.push(server);
};

/** A connection that says a word and hears it, again and again. */
const talk = (ns: string, address: string, port: number) => {
  const fd = inNamespace(ns, () => {
    const made = ffi.socket(address.includes(':') ? ffi.AF.INET6 : ffi.AF.INET, ffi.SOCK.STREAM);
    ffi.connect(made, sockaddr(address, port));
    return made;
  });
  const socket = new Socket({ fd });
  let ended: string | undefined;
  socket.on('error', (error) => {
    ended = error.message;
  });
  socket.on('close', () => {
    ended ??= 'closed';
  });
  return {
    say: (word: string): Promise<string> =>
      new Promise((resolve) => {
        if (ended !== undefined) return resolve(ended);
        socket.once('close', () => resolve(ended ?? ''));
        socket.once('data', (data) => resolve(data.toString()));
        socket.write(word);
      }),
    close: () => socket.destroy(),
  };
};

beforeAll(async () => {
  lab = new Lab();
  outside = lab.machine(
    'outside',
    'wan0',
    [`${HOST.ip4}/24`, `${HOST.ip6}/64`],
    [`${OUT.ip4}/24`, `${OUT.ip6}/64`],
  );
  lab.nftables.apply(relayElements(40_000).map((element) => ({ op: 'add', element })));
  const network = (bridge: string, n: number, change: Parameters<typeof nat>[3] = {}) =>
    lab.network({
      bridge,
      internal: false,
      icc: true,
      families: [
        nat(4, `172.${n}.0.0/24`, `172.${n}.0.1`, change),
        nat(6, `fd00:${n}::/64`, `fd00:${n}::1`, change.snat ? {} : change),
      ],
      gateways: [`172.${n}.0.1/24`, `fd00:${n}::1/64`],
    });
  const a = network('br-a', 18);
  const publish = (hostIp: string, hostPort: number, count = 1) => ({
    protocol: 'tcp' as const,
    hostIp,
    hostPort,
    containerPort: count > 1 ? hostPort : 7,
    count,
  });
  const neighbouring = Array.from({ length: 20 }, (_, i) => 8100 + i);
  shop = lab.container('shop', a, '172.18.0.2/24', 'fd00:18::2/64', {
    bindings: [
      publish('0.0.0.0', 8007),
      publish('::', 8007),
      publish(HOST.ip4, 8008),
      publish(HOST.ip6, 8008),
      publish('0.0.0.0', 9000, 100),
      publish('::', 9000, 100),
      ...neighbouring.flatMap((port) => [publish('0.0.0.0', port), publish('::', port)]),
    ],
  });
  neighbour = lab.container('next', a, '172.18.0.3/24', 'fd00:18::3/64');
  routed = lab.container('routed', network('br-r', 19, { mode: 'routed' }), '172.19.0.2/24', 'fd00:19::2/64');
  fixed = lab.container('fixed', network('br-s', 20, { snat: HOST.ip4 }), '172.20.0.2/24', 'fd00:20::2/64');
  for (const port of [7, 9050]) await echo(shop.ns, port);
});
afterAll(() => {
  for (const each of listeners) each.close();
  lab?.close();
});

describe.each(bridgeNetfilterWays)('N F1, with br_netfilter %s: packets without a flow', (way) => {
  beforeAll(() => bridgeNetfilter(way));

  test.each([
    ['on every address', HOST.ip4, 8007],
    ['on every address', HOST.ip6, 8007],
    ['on one', HOST.ip4, 8008],
    ['on one', HOST.ip6, 8008],
    ['in a run', HOST.ip4, 9050],
    ['in a run', HOST.ip6, 9050],
    ['beside others', HOST.ip4, 8105],
    ['beside others', HOST.ip6, 8105],
  ])('do not end a connection to a port published %s: %s', async (_, address, port) => {
    const [connection, watch] = [talk(outside, address, port), new Watch(outside)];
    expect(await connection.say('first word')).toBe('first word');
    const [said] = watch.until(Buffer.from('first word')).slice(-1);
    sendFrame(outside, 'eth0', resequenced(said ?? Buffer.alloc(0), FAR, 'first word'.length));
    expect(await connection.say('second')).toBe('second');
    connection.close();
    watch.close();
  });

  test('do not end the host’s own connection to a container', async () => {
    for (const address of [HOST.ip4, HOST.ip6]) {
      const [connection, watch] = [talk('host', address, 8007), new Watch(shop.ns)];
      expect(await connection.say('first word')).toBe('first word');
      watch.until(Buffer.from('first word'));
      const answer = watch.until(Buffer.from('first word')).at(-1) ?? Buffer.alloc(0);
      expect(macAt(answer, 6)).toBe(shop.mac);
      sendFrame(shop.ns, 'eth0', resequenced(answer, FAR));
      expect(await connection.say('second')).toBe('second');
      connection.close();
      watch.close();
    }
  });

  const macAt = (frame: Buffer, at: number): string =>
    [...frame.subarray(at, at + 6)].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
  /** Which of the segments without a flow arrive `at`; a datagram behind them says that all others had the time. */
  const arrived = (from: LabContainer, to: { ip4: string; ip6: string }, toMac: string, at: string) =>
    [
      { from: from.v4, to: to.ip4 },
      { from: from.v6, to: to.ip6 },
    ].flatMap((addresses) => {
      const watch = new Watch(at);
      const ends = { fromMac: from.mac, toMac, ...addresses };
      for (const [name, flags] of Object.entries(FLAGS))
        sendFrame(
          from.ns,
          'eth0',
          segment(ends, { from: 80, to: 4000 }, flags, `stray ${name} ${ends.from}`),
        );
      sendFrame(from.ns, 'eth0', datagram(ends, 53, 'the last'));
      const seen = watch.until(Buffer.from('the last'));
      watch.close();
      return seen.flatMap((frame) => /stray (\w+ [0-9a-f.:]+)/.exec(frame.toString('latin1'))?.[1] ?? []);
    });
  const OUTER = { ip4: OUT.ip4, ip6: OUT.ip6 };
  const withoutFlow = (found: readonly string[]) => found.filter((text) => !text.startsWith('ACK'));

  test('do not leave a masqueraded bridge with the container’s address', () => {
    expect(withoutFlow(arrived(shop, OUTER, macOf(undefined, 'br-a'), outside))).toEqual([]);
  });
  test('nor one whose packets leave with a fixed address', () => {
    expect(withoutFlow(arrived(fixed, OUTER, macOf(undefined, 'br-s'), outside))).toEqual([]);
  });
  const ALL = ['RST', 'FIN_ACK', 'SYN_ACK'];
  test('leave a routed bridge, whose answers may take another way', () => {
    const found = withoutFlow(arrived(routed, OUTER, macOf(undefined, 'br-r'), outside));
    expect(found).toEqual([routed.v4, routed.v6].flatMap((from) => ALL.map((name) => `${name} ${from}`)));
  });
  test('pass between neighbours', () => {
    const to = { ip4: neighbour.v4, ip6: neighbour.v6 };
    const found = withoutFlow(arrived(shop, to, neighbour.mac, neighbour.ns));
    expect(found).toEqual([shop.v4, shop.v6].flatMap((from) => ALL.map((name) => `${name} ${from}`)));
  });
  test('for a port that is not published are the host’s own affair', async () => {
    const watch = new Watch(outside);
    const ends = {
      fromMac: macOf(outside, 'eth0'),
      toMac: macOf(undefined, 'wan0'),
      from: OUT.ip4,
      to: HOST.ip4,
    };
    sendFrame(outside, 'eth0', segment(ends, { from: 5000, to: 22 }, FLAGS.SYN_ACK));
    const reset = Buffer.from([0, 22, 5000 >> 8, 5000 & 255]);
    expect(watch.until(reset).at(-1)?.includes(reset)).toBe(true);
    watch.close();
  });
});
