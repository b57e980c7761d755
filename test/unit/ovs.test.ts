/** D10: Open vSwitch's two protocols and the driver's options, without Open vSwitch. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readAcl } from '../../src/drivers/ovs/acl.js';
import { portMasks } from '../../src/drivers/ovs/flows.js';
import { ovs as driver } from '../../src/drivers/ovs/index.js';
import { readOptions } from '../../src/drivers/ovs/options.js';
import { JsonSplitter } from '../../src/ovs/json.js';
import { addFlow, splitAnswers } from '../../src/ovs/openflow.js';
import { decodeMatch, encodeMatch } from '../../src/ovs/oxm.js';
import { Replica } from '../../src/ovs/replica.js';
import { stateOf } from '../../src/ovs/state.js';
import { build } from '../../src/plan/diff.js';
import { print } from '../../src/plan/print.js';
import { aNetwork, anEndpoint, aView } from '../support/views.js';

describe('D10 JSON-RPC framing', () => {
  test('objects come out whole, in whatever pieces they arrive', () => {
    const texts = ['{"a":"}{\\"\\\\"}', '{"b":{"c":[{}]}}', '{}', '{"ü":"…"}'];
    const stream = Buffer.from(texts.join(' \n'));
    fc.assert(
      fc.property(fc.array(fc.nat(stream.length), { maxLength: 12 }), (cuts) => {
        const edges = [0, ...cuts.sort((a, b) => a - b), stream.length];
        const splitter = new JsonSplitter();
        const found = edges.slice(1).flatMap((end, i) => splitter.push(stream.subarray(edges[i], end)));
        expect(found.map((t) => t.trim())).toEqual(texts);
      }),
    );
  });
  test('what is no object is refused', () => {
    expect(() => new JsonSplitter().push(Buffer.from('HTTP/1.1 400'))).toThrow(/no JSON-RPC/);
  });
});

describe('D10 OpenFlow', () => {
  const ports = {
    numberOf: (n: string) => ({ veth1: 7 })[n],
    nameOf: (n: number) => (n === 7 ? 'veth1' : undefined),
  };
  test('every match that the driver derives is read back as it was written', () => {
    const acl = 'deny out tcp 10.1.2.3 80-90; allow in udp fd00::/32 53; deny out icmp; deny in';
    const view = aView({
      network: aNetwork({ driver: 'ovs', ipv6: true, options: { acl, trunks: '5' } }),
      endpoint: anEndpoint({ hostIfname: 'veth1', ipv6: 'fd00:1::2/64' }),
    });
    const flows = driver.endpoint(view).flatMap((o) => (o.kind === 'ovs-flow' ? [o] : []));
    expect(flows.length).toBeGreaterThan(30);
    for (const { match } of flows) expect(decodeMatch(encodeMatch(match, ports), ports)).toEqual(match);
  });
  test('a flow is the bytes of the specification (OpenFlow 1.3.5, 7.3.4.1, 7.2.3)', () => {
    const match = { in_port: 'veth1', eth_type: '0x800', ip_dst: '10.0.0.0/8' };
    const flow = {
      kind: 'ovs-flow',
      bridge: 'sw0',
      table: 0,
      priority: 5,
      cookie: '7669000000000001',
      match,
      action: 'NORMAL',
    } as const;
    const bytes = addFlow(9, flow, ports, undefined);
    expect(bytes.toString('hex')).toBe(
      '040e006800000009' +
        '7669000000000001' +
        '0000000000000000' +
        '0000000000000005' +
        'ffffffffffffffff' +
        'ffffffff00000000' +
        '0001001e' +
        '8000000400000007' +
        '80000a020800' +
        '800019080a000000ff000000' +
        '0000' +
        '0004001800000000' +
        '00000010fffffffa0000000000000000',
    );
    expect(splitAnswers(Buffer.concat([bytes, bytes.subarray(0, 20)])).answers).toHaveLength(1);
  });
  test('any bytes as an answer are read without harm', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void splitAnswers(Buffer.from(bytes))),
    );
  });
  test('a range of ports is exactly its masks', () => {
    const range = fc.tuple(fc.integer({ min: 1, max: 65_535 }), fc.nat(300));
    fc.assert(
      fc.property(range, fc.nat(65_535), ([first, more], port) => {
        const last = Math.min(65_535, first + more);
        const hit = portMasks(first, last).filter((text) => {
          const [value = 0, mask = 0xffff] = text.split('/').map(Number);
          return (port & mask) === value;
        });
        expect(hit).toHaveLength(port >= first && port <= last ? 1 : 0);
      }),
    );
  });
});

test('D10 a monitor’s updates are followed; what has no mark of ours is nobody’s business', () => {
  const replica = new Replica();
  const row = (more: object): object => ({
    new: { name: 'sw0', ports: ['set', []], external_ids: ['map', []], ...more },
  });
  replica.update({ Bridge: { u1: row({}) } });
  expect(stateOf(replica.tables).bridges).toEqual([]);
  replica.update({ Bridge: { u1: row({ external_ids: ['map', [['viaduct', 'x']]] }) } });
  expect(stateOf(replica.tables).bridges.map((b) => b.name)).toEqual(['sw0']);
  replica.update({ Bridge: { u1: { old: {} } } });
  expect(stateOf(replica.tables).names.size).toBe(0);
});

describe('D10 options', () => {
  test('with and without prefix, lists and ranges', () => {
    const read = readOptions({
      options: { 'com.viaduct.ovs.vlan': '7', trunks: '30-32,10;10', ingress_rate: '1000' },
    });
    expect(read).toMatchObject({ vlan: 7, trunks: [10, 30, 31, 32], ingress: { kbps: 1000, burst: 500 } });
  });
  test.each([
    [{ vlan: '7', 'com.viaduct.ovs.vlan': '8' }, /given twice/],
    [{ trunks: '5-3' }, /range/],
    [{ egress_rate: '5', egress_min_rate: '6' }, /above/],
    [{ tunnel: 'vxlan', remote_ip: '192.0.2.1' }, /VNI/],
    [{ tunnel: 'vxlan', remote_ip: '192.0.2.1', key: '16777216' }, /16777215/],
    [{ tunnel: 'gre', remote_ip: '192.0.2.1,x' }, /not an IP address/],
    [{ tunnel: 'gre', remote_ip: '192.0.2.1', dst_port: '5' }, /GRE has no ports/],
    [{ bridge: 'a/b' }, /interface name/],
    [{ mtu: '67' }, /MTU/],
  ])('refused: %j', (options, message) => {
    expect(() => readOptions({ options })).toThrow(message);
  });
  test('access lists: peers are masked, odd words are named', () => {
    expect(readAcl('deny out tcp 10.1.2.3/8 22-23;')).toEqual([
      {
        verdict: 'deny',
        direction: 'out',
        protocol: 'tcp',
        peer: { family: 4, cidr: '10.0.0.0/8' },
        ports: { first: 22, last: 23 },
      },
    ]);
    expect(() => readAcl('deny out tcp any 0')).toThrow(/what is "0"/);
    expect(() => readAcl('deny out'.concat(';deny out'.repeat(200)))).toThrow(/more than 128 rules/);
  });
});

test('D10 the plan of a shared bridge with VLAN, as people read it', async () => {
  const options = { bridge: 'sw0', vlan: '10', uplink: 'eth1', ingress_rate: '1000' };
  const view = aView({ network: aNetwork({ driver: 'ovs', options }), endpoint: anEndpoint() });
  const objects = [
    ...(driver.shared?.([view.network], view.host) ?? []),
    ...driver.network(view),
    ...driver.endpoint(view),
  ];
  await expect(print(build(objects))).toMatchFileSnapshot('../golden/plans/ovs.vlan.txt');
});
