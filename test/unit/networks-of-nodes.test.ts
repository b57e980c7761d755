/** D8: networks of a swarm that each node makes for itself: what a manager refuses, and what a node makes of one. */
import { describe, expect, test } from 'vitest';
import { changed, ownOf, whole } from '../../src/cluster/agent/others.js';
import { createNetwork, removeNetwork } from '../../src/cluster/control/commands/networks.js';
import { DRIVERS } from '../../src/drivers/index.js';
import type { NetworkCreateRequest } from '../../src/engine/contract.js';
import { checkOfNodes } from '../../src/engine/networks/of-nodes.js';
import { isMadeByNodes } from '../../src/model/network.js';
import { aNetwork, NOW, SmallCluster } from '../support/swarm-records.js';

const request = (of: Partial<NetworkCreateRequest> = {}): NetworkCreateRequest => ({
  ...{ name: 'own', driver: '', scope: 'swarm', ingress: false, internal: false, attachable: false },
  ...{ configOnly: false, configFrom: '', options: {}, labels: {} },
  ipam: { driver: '', options: null, config: [] },
  ...of,
});
const check = (of: Partial<NetworkCreateRequest>): string => checkOfNodes({ drivers: DRIVERS }, request(of));
const subnet = (text: string) => ({ ipam: { driver: '', options: null, config: [{ subnet: text }] } });

describe('a manager', () => {
  test.each<[Partial<NetworkCreateRequest>, string]>([
    [{ driver: 'nobodys' }, 'nobodys is not built in'],
    [{ driver: 'host' }, 'only one instance of "host" network is allowed'],
    [{ driver: 'null' }, 'only one instance of "null" network is allowed'],
    [{ ingress: true }, 'those of driver bridge do not'],
    [{ ipam: { driver: 'dhcp', options: null, config: [] } }, 'IPAM driver "dhcp"'],
    [subnet('10.1.2.3/8'), 'it should be 10.0.0.0/8'],
    [{ configFrom: 'lan', ...subnet('10.0.0.0/8') }, 'user specified configurations are not supported'],
    [{ configFrom: 'lan', options: { parent: 'eth0' } }, 'user specified configurations are not supported'],
  ])('refuses what no node could make: %j', (of, refusal) => {
    expect(() => check(of)).toThrow(refusal);
  });

  test('takes the rest, and warns where nodes would give the same addresses on one wire', () => {
    for (const driver of ['', 'bridge', 'macvlan', 'ipvlan', 'ovs'])
      expect(
        check({ driver, options: ['macvlan', 'ipvlan'].includes(driver) ? { parent: 'eth0' } : {} }),
      ).toBe('');
    expect(check({ driver: 'macvlan', configFrom: 'lan' })).toBe('');
    expect(check(subnet('10.0.0.0/8'))).toBe('');
    const onTheWire = { driver: 'macvlan', options: { parent: 'eth0' }, ...subnet('192.0.2.0/24') };
    expect(check(onTheWire)).toContain('each node gives addresses of the subnet by itself');
  });

  test('takes neither a subnet nor a VXLAN number for it, and gives its name back', () => {
    const cluster = new SmallCluster();
    const view = () => ({ state: cluster.state, now: NOW, newId: () => 'n1' });
    const { pools: _, overlay: __, ...wished } = aNetwork('own', '10.0.1.0/24').network;
    const { network, unit } = createNetwork(view(), {
      network: { ...wished, driver: 'bridge' },
      ingress: false,
    });
    expect(isMadeByNodes(network)).toBe(true);
    expect(network.pools).toEqual([]);
    expect(unit.map(({ kind }) => kind)).toEqual(['network', 'name']);
    for (const { kind, id, record } of unit)
      cluster.state.set(kind, id, record && ({ ...record, version: 2 } as never), NOW); // of its own kind
    const gone = removeNetwork(view(), 'n1').flatMap(({ kind, record }) => (record ? [] : [kind]));
    expect(gone).toEqual(['network', 'name']);
  });
});

describe('a node', () => {
  const { overlay: _, ...network } = aNetwork('own', '10.0.1.0/24').network;
  const own = { ...network, driver: 'bridge', pools: [] };
  const item = { kind: 'network', ...aNetwork('own', '10.0.1.0/24'), network: own };
  const seen = (items: readonly unknown[]) => ({
    items: new Map(items.map((each) => ['network/own', each])) as never, // of items nothing but these is looked at
    self: 'a',
    tunnel: { key: '', port: 0 },
    failed: new Set<string>(),
  });
  const known = {
    networks: () => [own],
    peers: () => [],
    balancers: () => [],
    vteps: () => [],
  };

  test('is told of it and has nothing of it until a container needs it', () => {
    expect(ownOf(seen([item]).items, 'own')).toMatchObject({ driver: 'bridge' });
    expect(changed(seen([item]), ['network/own']).networks.size).toBe(0);
    expect(whole(seen([item]), known).networks.size).toBe(0);
  });

  test('lets it go when it is told of it no more', () => {
    for (const change of [changed(seen([]), ['network/own']), whole(seen([]), known)])
      expect([...change.networks]).toEqual([['own', null]]);
  });
});
