/** N7, S1, D8: what a node says of its host: routes that networks keep off, and what is wrong, seen by `docker node inspect`. */
import { describe, expect, test, vi } from 'vitest';
import { lacksNumber } from '../../src/cluster/agent/others.js';
import { createNetwork } from '../../src/cluster/control/commands/networks.js';
import { type Condition, tellCondition } from '../../src/cluster/life/condition.js';
import { DEFAULT_SPEC } from '../../src/cluster/life/spec.js';
import { viewNode } from '../../src/cluster/life/view.js';
import { decodeRecord } from '../../src/cluster/mirror/codec.js';
import { MOST_ROUTES, routesToTell } from '../../src/cluster/routes.js';
import type { Connection } from '../../src/cluster/session/connect.js';
import { fromNode } from '../../src/cluster/session/protocol.js';
import { Subnets } from '../../src/ipam/subnets.js';
import type { Cluster } from '../../src/model/swarm/cluster.js';
import type { NodeState } from '../../src/model/swarm/node.js';
import { aNetwork, aNode, kept, NOW, SmallCluster } from '../support/swarm-records.js';

const description = {
  ...{ hostname: 'h', architecture: 'x86_64', os: 'linux', nanoCpus: 1, memoryBytes: 1, engineVersion: '1' },
  ...{ labels: {}, plugins: [], tls: { trustRoot: '', issuerSubject: '', issuerPublicKey: '' } },
};
const aCluster: Cluster = {
  ...{ ...kept, id: 'c', spec: DEFAULT_SPEC, createdAt: NOW, updatedAt: NOW, authorities: '' },
  ...{ addressPools: ['10.0.0.0/22'], subnetSize: 24, dataPort: 4789 },
};
const said = (id: string, of: Partial<NodeState>): NodeState => ({
  ...kept,
  id,
  description: { ...description, hostname: `host-${id}` },
  ...{ address: '192.0.2.1', dataAddress: '192.0.2.1', routes: [], faults: [] },
  ...of,
});

describe('N7: routes of a host', () => {
  test('are told in one spelling, none inside another, without what every link has', () => {
    const cidrs = [
      '10.1.2.3/24',
      '10.1.0.0/16',
      '10.1.2.0/24',
      'fe80::/64',
      '169.254.0.0/16',
      '2001:DB8::/32',
    ];
    expect(routesToTell([...cidrs, 'nonsense'])).toEqual(['10.1.0.0/16', '2001:db8::/32']);
  });

  test('are the widest where they are too many', () => {
    const many = Array.from({ length: 1_000 }, (_, n) => `10.${n >> 8}.${n & 255}.0/24`);
    const told = routesToTell([...many, '172.16.0.0/12']);
    expect(told).toHaveLength(MOST_ROUTES);
    expect(told[0]).toBe('172.16.0.0/12');
  });

  test('come out of an index as they went in', () => {
    const cidrs = ['10.0.0.0/8', '10.0.0.0/24', '192.0.2.7/32', '2001:db8::/32'];
    expect([...new Subnets(cidrs).cidrs()].toSorted()).toEqual(cidrs.toSorted());
  });

  const wish = (name: string, subnet?: string) => {
    const { network } = aNetwork(name, '0.0.0.0/0');
    const ipam = { driver: 'default', options: null, config: subnet ? [{ subnet, auxiliary: {} }] : [] };
    return { network: { ...network, ipam }, ingress: false, overlay: { vnis: [], port: 4789, mtu: 1450 } };
  };
  const cluster = (...routes: readonly string[]) =>
    new SmallCluster()
      .set('cluster', aCluster)
      .set('node-state', said('n1', { routes: routes.slice(0, 1) }))
      .set('node-state', said('n2', { routes: routes.slice(1) }));
  const make = (of: SmallCluster, ...args: Parameters<typeof wish>) =>
    createNetwork({ state: of.state, now: NOW, newId: () => 'i1' }, wish(...args));

  test('of all nodes are kept off by what is chosen', () => {
    const { network, warning } = make(cluster('10.0.0.0/23', '10.0.2.128/25'), 'net');
    expect([network.pools[0]?.subnet, warning]).toEqual(['10.0.3.0/24', '']);
  });

  test('that a user overlaps, or that leave nothing, are told of by node', () => {
    const named = make(cluster('10.0.0.0/23', '10.0.2.0/24'), 'net', '10.0.2.0/24');
    expect(named.network.pools[0]?.subnet).toBe('10.0.2.0/24');
    expect(named.warning).toMatch(/^10\.0\.2\.0\/24 of network net overlaps with a route of node host-n2: /);
    const all = make(cluster('10.0.0.0/8'), 'net');
    expect(all.network.pools[0]?.subnet).toBe('10.0.0.0/24');
    expect(all.warning).toMatch(/route of node host-n1: .*--default-addr-pool/);
  });

  test('that are none are refused, by the manager and from the store', () => {
    const hello = { type: 'hello', description, advertise: ':2377', dataPath: '' };
    expect(fromNode.safeParse(hello).success).toBe(true); // of an older version
    expect(fromNode.safeParse({ ...hello, routes: ['10.0.0.0/8'], faults: ['a'] }).success).toBe(true);
    const many = Array.from({ length: MOST_ROUTES + 1 }, () => '10.0.0.0/8');
    for (const routes of [['10.0.0.0'], ['x'.repeat(1_000)], [1], 'a', many])
      expect(fromNode.safeParse({ ...hello, routes }).success).toBe(false);
    const { faults: _, ...older } = said('n1', { routes: ['10.0.0.0/8'] });
    expect(decodeRecord('node-state', JSON.stringify(older)).faults).toEqual([]);
    expect(() => decodeRecord('node-state', JSON.stringify({ ...older, routes: ['nonsense'] }))).toThrow();
  });
});

test('what has changed of a host is told while its session stands, and once', async () => {
  vi.useFakeTimers();
  const over = new AbortController();
  try {
    const told: object[] = [];
    let now: Condition = { description, routes: ['10.0.0.0/8'], faults: [] };
    let standing = true;
    const connection = {
      say: (message: object) => void told.push(message),
    } as Partial<Connection> as Connection;
    const hello = tellCondition({
      now: () => now,
      connection: () => (standing ? connection : undefined),
      signal: over.signal,
      every: 1_000,
    });
    expect(hello()).toBe(now);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(told).toEqual([]);
    now = { ...now, faults: ['a'] };
    await vi.advanceTimersByTimeAsync(5_000);
    expect(told).toEqual([{ type: 'describe', ...now }]);
    standing = false;
    now = { ...now, faults: [] };
    await vi.advanceTimersByTimeAsync(5_000);
    expect(told).toHaveLength(1);
    standing = true;
    await vi.advanceTimersByTimeAsync(1_000);
    expect(told).toHaveLength(2);
  } finally {
    over.abort();
    vi.useRealTimers();
  }
});

test('S4: a node without a number is told that it has no mesh', () => {
  const item = { kind: 'node', id: 'n1', hostname: 'h', dataAddress: '192.0.2.1' } as const;
  const lacks = (number: number) => lacksNumber(new Map([['node/n1', { ...item, number }]]), 'n1');
  expect(lacks(1)).toEqual([]);
  expect(lacks(0)).toEqual([
    expect.stringMatching(/^this node has no number in the swarm yet: it answers on no port/),
  ]);
  expect(lacksNumber(new Map(), 'n1')).toHaveLength(1);
});

test('D8: what a node says is wrong is its message, as long as it is there', () => {
  const { state } = new SmallCluster().set('node-state', said('n1', { faults: ['a', 'b'] }));
  const mirror = { state, members: new Map(), living: new Set<string>(), leader: undefined };
  const message = (liveness: 'ready' | 'down', text: string): string =>
    viewNode(mirror, aNode('n1', { status: { state: liveness, message: text } }), undefined).status.message;
  expect(message('ready', '')).toBe('a; b');
  expect(message('down', 'heartbeat failure')).toBe('heartbeat failure');
});
