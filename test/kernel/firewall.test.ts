/** Who reaches whom, with real packets: the firewall's rules and elements in a host with networks, neighbours and strangers. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { apiElements, networkElements, relayElements } from '../../src/firewall/index.js';
import type { PortBinding } from '../../src/model/port.js';
import {
  bridgeNetfilter,
  bridgeNetfilterWays,
  converse,
  ip,
  ipIn,
  Lab,
  type LabContainer,
  type LabNetwork,
  nat,
  PATIENCE,
  type Probe,
  probe,
  serve,
} from '../support/firewall-lab.js';

const HOST = { ip4: '192.0.2.1', ip6: '2001:db8:1::1', other4: '198.51.100.1', other6: '2001:db8:2::1' };
const OUT = { ip4: '192.0.2.2', ip6: '2001:db8:1::2' };
const STRANGER = { ip4: '198.51.100.2', ip6: '2001:db8:2::2' };
const RELAY = 40_000;
const API = 2375;

const tcp = (hostIp: string, hostPort: number, containerPort = 80, count = 1): PortBinding => ({
  protocol: 'tcp',
  hostIp,
  hostPort,
  containerPort,
  count,
});
const udp = (hostIp: string, hostPort: number, containerPort = 53, count = 1): PortBinding => ({
  ...tcp(hostIp, hostPort, containerPort, count),
  protocol: 'udp',
});

const network = (
  bridge: string,
  number: number,
  change: Partial<LabNetwork> & { readonly mode?: 'nat' | 'nat-unprotected' | 'routed' | 'isolated' } = {},
): LabNetwork => {
  const { mode = 'nat', ...rest } = change;
  const v4 = `172.${number}.0`;
  const v6 = `fd00:${number}:`;
  return {
    bridge,
    internal: false,
    icc: true,
    families: [nat(4, `${v4}.0/24`, `${v4}.1`, { mode }), nat(6, `${v6}:/64`, `${v6}:1`, { mode })],
    gateways: mode === 'isolated' ? [] : [`${v4}.1/24`, `${v6}:1/64`],
    ...rest,
  };
};

/** becomes internal and open again */
const turned = network('br-turn', 28);

let lab: Lab;
let outside: string;
let stranger: string;
const all: Record<string, LabContainer> = {};
const at = (name: string): LabContainer => {
  const found = all[name];
  if (!found) throw new Error(`no container ${name}`);
  return found;
};
const join = (
  name: string,
  to: LabNetwork,
  number: number,
  last: number,
  rest: Parameters<Lab['container']>[4] = {},
  families: '4' | '6' | '46' = '46',
) => {
  all[name] = lab.container(
    name,
    to,
    families.includes('4') ? `172.${number}.0.${last}/24` : '',
    families.includes('6') ? `fd00:${number}::${last}/64` : '',
    rest,
  );
};

const reaches = async (ns: string, address: string, port: number, sees: string, options: Probe = {}) =>
  expect(await probe(ns, address, port, options), `${address}:${port}`).toBe(sees);
const nothing = async (ns: string, address: string, port: number, options: Probe = {}) =>
  expect(await probe(ns, address, port, { ...options, silent: true }), `${address}:${port}`).toBeNull();

beforeAll(async () => {
  lab = new Lab();
  outside = lab.machine(
    'outside',
    'wan0',
    [`${HOST.ip4}/24`, `${HOST.ip6}/64`],
    [`${OUT.ip4}/24`, `${OUT.ip6}/64`],
  );
  stranger = lab.machine(
    'stranger',
    'wan1',
    [`${HOST.other4}/24`, `${HOST.other6}/64`],
    [`${STRANGER.ip4}/24`, `${STRANGER.ip6}/64`],
  );
  lab.nftables.apply(
    [...relayElements(RELAY), ...apiElements([API])].map((element) => ({ op: 'add', element })),
  );
  const a = lab.network(network('br-a', 18));
  const b = lab.network(network('br-b', 19));
  const inner = lab.network(network('br-int', 20, { internal: true }));
  const quiet = lab.network(network('br-quiet', 21, { icc: false }));
  const open = lab.network(network('br-open', 22, { mode: 'nat-unprotected' }));
  const routed = lab.network(network('br-rt', 23, { mode: 'routed' }));
  const isolated = lab.network(network('br-iso', 24, { mode: 'isolated', internal: true }));
  const only4 = lab.network({
    ...network('br-4', 25),
    families: [nat(4, '172.25.0.0/24', '172.25.0.1')],
    gateways: ['172.25.0.1/24'],
  });
  const only6 = lab.network({
    ...network('br-6', 27),
    families: [nat(6, 'fd00:27::/64', 'fd00:27::1')],
    gateways: ['fd00:27::1/64'],
  });
  const trusting = lab.network(network('br-tr', 26, { trusted: ['wan1'] }));
  join('a1', a, 18, 2, {
    bindings: [
      tcp('0.0.0.0', 8080),
      tcp('::', 8080),
      tcp('127.0.0.1', 8081),
      tcp('::1', 8081),
      tcp(HOST.ip4, 8082),
      tcp(HOST.ip6, 8082),
      udp('0.0.0.0', 5353),
      udp('::', 5353),
      tcp('0.0.0.0', 20_000, 20_000, 100),
      tcp('::', 20_000, 20_000, 100),
      tcp('0.0.0.0', 21_000, 22_000, 100),
      udp(HOST.ip4, 20_000, 20_000, 100),
    ],
  });
  join('a2', a, 18, 3);
  join('b1', b, 19, 2);
  join('i1', inner, 20, 2, { bindings: [tcp('0.0.0.0', 8090)] });
  join('i2', inner, 20, 3);
  join('q1', quiet, 21, 2, {
    linkedTo: [
      { protocol: 'tcp', port: 80, address: '172.21.0.3' },
      { protocol: 'udp', port: 53, address: '172.21.0.3' },
      { protocol: 'tcp', port: 80, address: 'fd00:21::3' },
      { protocol: 'udp', port: 53, address: 'fd00:21::3' },
    ],
  });
  join('q2', quiet, 21, 3, { bindings: [tcp('0.0.0.0', 8091)] });
  join('o1', open, 22, 2, { bindings: [tcp('0.0.0.0', 8092)] });
  join('r1', routed, 23, 2, {
    bindings: [tcp('0.0.0.0', 80), tcp('::', 80), udp('0.0.0.0', 50, 50, 20), udp('::', 50, 50, 20)],
  });
  join('s1', isolated, 24, 2);
  join('s2', isolated, 24, 3);
  join(
    'f1',
    only4,
    25,
    2,
    { bindings: [tcp('::', 8093), tcp(HOST.ip6, 8094), tcp('::', 23_000, 23_000, 100)] },
    '4',
  );
  join(
    'x1',
    only6,
    27,
    2,
    { bindings: [tcp('0.0.0.0', 8095), tcp('127.0.0.1', 8096), tcp('::', 8095)] },
    '6',
  );
  join('t1', trusting, 26, 2);
  join('u1', lab.network(turned), 28, 2, { bindings: [udp('0.0.0.0', 5400)] });
  await serve('host', 'tcp', RELAY, 'relay ');
  await serve('host', 'tcp', 22, 'host ');
  await serve('host', 'tcp', API, 'api ');
  await serve(outside, 'tcp', 8080, 'theirs ');
  await serve(outside, 'udp', 53);
  await serve('host', 'udp', 53);
  for (const each of [outside, stranger]) await serve(each, 'tcp', 80);
  for (const { ns } of Object.values(all)) {
    for (const port of [80, 81]) await serve(ns, 'tcp', port);
    await serve(ns, 'udp', 53);
  }
  for (const port of [20_050, 22_050]) await serve(at('a1').ns, 'tcp', port);
  await serve(at('a1').ns, 'udp', 20_050);
  for (const via of [
    ['172.16.0.0/12', HOST.other4, ''],
    ['fd00::/16', HOST.other6, '-6 '],
    ['192.0.2.1/32', HOST.other4, ''],
    ['127.0.0.0/16', HOST.other4, ''],
  ])
    ipIn(stranger, `${via[2]}route replace ${via[0]} via ${via[1]}`);
});
afterAll(() => lab?.close());

describe.each(bridgeNetfilterWays)('with br_netfilter %s:', (way) => {
  beforeAll(() => bridgeNetfilter(way));

  describe('a port published on every address', () => {
    test('answers outsiders, who keep their address', async () => {
      await reaches(outside, HOST.ip4, 8080, OUT.ip4);
      await reaches(outside, HOST.ip6, 8080, OUT.ip6);
      await reaches(stranger, HOST.other4, 8080, STRANGER.ip4);
      await reaches(stranger, HOST.other6, 8080, STRANGER.ip6);
      await reaches(outside, HOST.ip4, 5353, OUT.ip4, { protocol: 'udp' });
      await reaches(outside, HOST.ip6, 5353, OUT.ip6, { protocol: 'udp' });
    });
    test('answers the host by each of its addresses', async () => {
      await reaches('host', HOST.ip4, 8080, HOST.ip4);
      await reaches('host', HOST.ip6, 8080, HOST.ip6);
      await reaches('host', '172.18.0.1', 8080, '172.18.0.1');
      await reaches('host', '127.0.0.1', 8080, '172.18.0.1');
      await reaches('host', '127.0.0.1', 5353, '172.18.0.1', { protocol: 'udp' });
      await reaches('host', '::1', 8080, 'relay ::1');
    });
    test('answers containers of its own and of other networks, and itself', async () => {
      for (const host of [HOST.ip4, HOST.other4, '172.18.0.1']) {
        await reaches(at('a2').ns, host, 8080, '172.18.0.1');
        await reaches(at('a1').ns, host, 8080, '172.18.0.1');
        await reaches(at('b1').ns, host, 8080, '172.18.0.1');
      }
      await reaches(at('a1').ns, HOST.ip6, 8080, 'fd00:18::1');
      await reaches(at('b1').ns, HOST.ip6, 8080, 'fd00:18::1');
      await reaches(at('a1').ns, HOST.ip4, 5353, '172.18.0.1', { protocol: 'udp' });
      await reaches(at('q1').ns, HOST.ip4, 8091, '172.21.0.1');
    });
    test('does not take connections to somebody else’s port of that number', async () => {
      await reaches(at('b1').ns, OUT.ip4, 8080, `theirs ${HOST.ip4}`);
      await reaches(at('b1').ns, OUT.ip6, 8080, `theirs ${HOST.ip6}`);
    });
    test('keeps its number in a run of ports, and shifts it where it should', async () => {
      await reaches(outside, HOST.ip4, 20_050, OUT.ip4);
      await reaches(outside, HOST.ip6, 20_050, OUT.ip6);
      await reaches('host', '127.0.0.1', 20_050, '172.18.0.1');
      await reaches('host', '::1', 20_050, 'relay ::1');
      await reaches(outside, HOST.ip4, 21_050, OUT.ip4);
      await nothing(outside, HOST.ip4, 22_050);
      await reaches(outside, HOST.ip4, 20_050, OUT.ip4, { protocol: 'udp' });
      await nothing(stranger, HOST.ip4, 20_050, { protocol: 'udp' });
      await nothing(stranger, HOST.other4, 20_050, { protocol: 'udp' });
    });
  });

  describe('a port published on one address', () => {
    test('answers only on the interface that owns it', async () => {
      await reaches(outside, HOST.ip4, 8082, OUT.ip4);
      await reaches(outside, HOST.ip6, 8082, OUT.ip6);
      await nothing(stranger, HOST.ip4, 8082);
      await nothing(stranger, HOST.ip6, 8082);
      await nothing(stranger, HOST.other4, 8082);
      await nothing('host', '127.0.0.1', 8082);
    });
    test('answers the host and containers', async () => {
      await reaches('host', HOST.ip4, 8082, HOST.ip4);
      await reaches(at('b1').ns, HOST.ip4, 8082, '172.18.0.1');
      await reaches(at('a1').ns, HOST.ip6, 8082, 'fd00:18::1');
    });
    test('on loopback answers only the host', async () => {
      await reaches('host', '127.0.0.1', 8081, '172.18.0.1');
      await reaches('host', '::1', 8081, 'relay ::1');
      await nothing('host', HOST.ip4, 8081);
      for (const from of [outside, stranger, at('a1').ns, at('b1').ns]) {
        await nothing(from, HOST.ip4, 8081);
        await nothing(from, HOST.ip6, 8081);
      }
    });
  });

  describe('IPv6 to a container without it', () => {
    test('goes through the relay', async () => {
      await reaches(outside, HOST.ip6, 8093, `relay ${OUT.ip6}`);
      await reaches(outside, HOST.ip6, 8094, `relay ${OUT.ip6}`);
      await reaches(outside, HOST.ip6, 23_050, `relay ${OUT.ip6}`);
      await reaches('host', '::1', 8093, 'relay ::1');
      await reaches('host', '::1', 23_050, 'relay ::1');
      await reaches(at('b1').ns, HOST.ip6, 8093, 'relay fd00:19::2');
      await nothing(stranger, HOST.ip6, 8094);
      await nothing('host', '::1', 8094);
    });
    test('and IPv4 to a container without that', async () => {
      await reaches(outside, HOST.ip4, 8095, `relay ${OUT.ip4}`);
      await reaches('host', '127.0.0.1', 8095, 'relay 127.0.0.1');
      await reaches('host', '127.0.0.1', 8096, 'relay 127.0.0.1');
      await reaches(outside, HOST.ip6, 8095, OUT.ip6);
      await nothing(outside, HOST.ip4, 8096);
    });
    test('is the only way to the relay', async () => {
      await nothing(outside, HOST.ip6, RELAY);
      await nothing(outside, HOST.ip4, RELAY);
      await nothing('host', '::1', RELAY);
      await nothing(at('b1').ns, HOST.ip6, RELAY);
    });
  });

  describe('networks', () => {
    test('let their containers talk and go out with the host’s address', async () => {
      await reaches(at('a1').ns, at('a2').v4, 81, '172.18.0.2');
      await reaches(at('a1').ns, at('a2').v6, 81, 'fd00:18::2');
      await reaches(at('a1').ns, OUT.ip4, 80, HOST.ip4);
      await reaches(at('a1').ns, OUT.ip6, 80, HOST.ip6);
      await reaches(at('a1').ns, HOST.ip4, 22, 'host 172.18.0.2');
    });
    test('answer the host', async () => {
      for (const name of ['a1', 'b1', 'i1', 'q1', 'o1', 'r1']) {
        await reaches('host', at(name).v4, 81, at(name).v4.replace(/\d+$/, '1'));
        await reaches('host', at(name).v6, 81, at(name).v6.replace(/\d+$/, '1'));
      }
    });
    test('are closed to each other and to whoever routes to them', async () => {
      for (const to of ['a1', 'i1', 'q1', 's1', 'f1'])
        for (const from of [at('b1').ns, stranger]) {
          await nothing(from, at(to).v4, 80);
          await nothing(from, at(to).v4, 53, { protocol: 'udp' });
          if (at(to).v6) await nothing(from, at(to).v6, 80);
          if (at(to).v6) await nothing(from, at(to).v6, 53, { protocol: 'udp' });
        }
    });
    test('with gateway mode nat-unprotected are open to whoever routes to them', async () => {
      await reaches(stranger, at('o1').v4, 81, STRANGER.ip4);
      await reaches(stranger, at('o1').v6, 53, STRANGER.ip6, { protocol: 'udp' });
      await reaches(outside, HOST.ip4, 8092, OUT.ip4);
      await reaches(at('o1').ns, OUT.ip4, 80, HOST.ip4);
    });
    test('with gateway mode routed are open on their published ports', async () => {
      for (const [to, from] of [
        [at('r1').v4, STRANGER.ip4],
        [at('r1').v6, STRANGER.ip6],
      ] as const) {
        await reaches(stranger, to, 80, from);
        await reaches(stranger, to, 53, from, { protocol: 'udp' });
        await nothing(stranger, to, 81);
        await nothing(stranger, to, 80, { protocol: 'udp' });
      }
      expect(ipIn(stranger, 'route get 172.23.0.2')).toContain('via');
      await nothing(outside, HOST.ip4, 80);
    });
    test('trust the interfaces they are told to trust', async () => {
      await nothing(outside, at('t1').v4, 80);
      await reaches(stranger, at('t1').v4, 81, STRANGER.ip4);
    });
  });

  describe('K7: the API over TCP', () => {
    test('answers no container, whatever its network and whichever address of the host it asks', async () => {
      for (const name of ['a1', 'b1', 'i1', 'q1', 'o1', 'r1', 's1', 'f1', 'x1', 't1']) {
        const { ns, v4, v6 } = at(name);
        const bridges = [v4, v6].flatMap((own) => (own ? [own.replace(/(\.|::)\d+$/, '$11')] : []));
        for (const address of [HOST.ip4, HOST.ip6, HOST.other4, '172.18.0.1', 'fd00:18::1', ...bridges])
          await nothing(ns, address, API);
      }
      const linkLocal = /fe80::[0-9a-f:]+/.exec(ip('-6 addr show dev br-a scope link'))?.[0];
      await nothing(at('a1').ns, `${linkLocal}%eth0`, API);
    });
    test('answers outsiders and the host, who were to have it', async () => {
      await reaches(outside, HOST.ip4, API, `api ${OUT.ip4}`);
      await reaches(outside, HOST.ip6, API, `api ${OUT.ip6}`);
      await reaches('host', '127.0.0.1', API, 'api 127.0.0.1');
    });
  });

  describe('an internal network', () => {
    test('reaches itself and its bridge, nothing else', async () => {
      await reaches(at('i1').ns, at('i2').v4, 80, '172.20.0.2');
      await reaches(at('i1').ns, at('i2').v6, 80, 'fd00:20::2');
      await reaches(at('i1').ns, '172.20.0.1', 22, 'host 172.20.0.2');
      await reaches(at('i1').ns, 'fd00:20::1', 22, 'host fd00:20::2');
      for (const [address, port] of [
        [HOST.ip4, 22],
        [HOST.ip6, 22],
        [HOST.ip4, 8080],
        [HOST.ip6, 8080],
        [HOST.ip6, 8093],
        ['172.20.0.1', 8080],
        ['fd00:20::1', 8080],
        ['fd00:20::1', 8093],
        ['172.18.0.1', 22],
        [OUT.ip4, 80],
        [OUT.ip6, 80],
        [at('a1').v4, 80],
        [at('a1').v6, 80],
        [at('o1').v4, 80],
        [at('r1').v4, 80],
      ] as const)
        await nothing(at('i1').ns, address, port);
    });
    test('publishes nothing', async () => {
      await nothing(outside, HOST.ip4, 8090);
      await nothing('host', '127.0.0.1', 8090);
    });
    test.each(['internal', 'isolated'] as const)(
      '%s, is closed to flows that were under way before it was',
      async (how) => {
        const turn = (from: LabNetwork, to: LabNetwork) =>
          lab.nftables.apply([
            ...networkElements(from).map((element) => ({ op: 'delete' as const, element })),
            ...networkElements(to).map((element) => ({ op: 'add' as const, element })),
          ]);
        const shut = network('br-turn', 28, { internal: true, ...(how === 'isolated' ? { mode: how } : {}) });
        const flows = [
          { flow: await converse(at('u1').ns, OUT.ip4, 53), sees: HOST.ip4 },
          { flow: await converse(at('u1').ns, OUT.ip6, 53), sees: HOST.ip6 },
          { flow: await converse(outside, HOST.ip4, 5400), sees: OUT.ip4 },
        ];
        const hosts = [
          { flow: await converse(at('u1').ns, '172.28.0.1', 53), sees: '172.28.0.2' },
          { flow: await converse(at('u1').ns, 'fd00:28::1', 53), sees: 'fd00:28::2' },
        ];
        for (const { flow, sees } of [...flows, ...hosts]) expect(await flow.ask(PATIENCE.answer)).toBe(sees);
        turn(turned, shut);
        for (const { flow } of flows) expect(await flow.ask(PATIENCE.silence)).toBeNull();
        for (const { flow, sees } of hosts)
          expect(await flow.ask(PATIENCE.silence)).toBe(how === 'internal' ? sees : null);
        turn(shut, turned);
        for (const { flow, sees } of [...flows, ...hosts]) expect(await flow.ask(PATIENCE.answer)).toBe(sees);
        for (const { flow } of [...flows, ...hosts]) flow.close();
      },
    );
    test('without gateway reaches only itself', async () => {
      await reaches(at('s1').ns, at('s2').v4, 80, '172.24.0.2');
      await reaches(at('s1').ns, at('s2').v6, 80, 'fd00:24::2');
      ipIn(at('s1').ns, 'route replace default dev eth0');
      await nothing(at('s1').ns, HOST.ip4, 22);
    });
  });

  describe('with containers that may not talk', () => {
    test('only a link opens a way, and only its port', async () => {
      await reaches(at('q1').ns, at('q2').v4, 80, '172.21.0.2');
      await reaches(at('q1').ns, at('q2').v6, 80, 'fd00:21::2');
      await reaches(at('q1').ns, at('q2').v4, 53, '172.21.0.2', { protocol: 'udp' });
      await reaches(at('q1').ns, at('q2').v6, 53, 'fd00:21::2', { protocol: 'udp' });
      await nothing(at('q1').ns, at('q2').v4, 81);
      await nothing(at('q1').ns, at('q2').v6, 81);
      await nothing(at('q2').ns, at('q1').v4, 80);
      await nothing(at('q2').ns, at('q1').v6, 80);
      await nothing(at('q2').ns, at('q1').v4, 53, { protocol: 'udp' });
    });
    test('no way leads around by the gateway', async () => {
      const gateway = /ether (\S+)/.exec(ip('link show br-quiet'))?.[1];
      ipIn(at('q2').ns, `neigh replace ${at('q1').v4} lladdr ${gateway} dev eth0`);
      await nothing(at('q2').ns, at('q1').v4, 80);
      ipIn(at('q2').ns, `neigh del ${at('q1').v4} dev eth0`);
    });
    test('they go out and publish as others do', async () => {
      await reaches(at('q1').ns, OUT.ip4, 80, HOST.ip4);
      await reaches(outside, HOST.ip4, 8091, OUT.ip4);
    });
  });
});
