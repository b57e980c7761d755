/** S9: addresses that a user chose for a service and its tasks. */
import { describe, expect, test } from 'vitest';
import { createService, updateService } from '../../src/cluster/control/commands/services.js';
import { bare } from '../../src/model/address.js';
import type { ServiceSpec } from '../../src/model/swarm/service.js';
import { aNetwork, aSpec, aTaskSpec, NOW, SmallCluster } from '../support/swarm-records.js';

const on = (options: Readonly<Record<string, string>>): Pick<ServiceSpec, 'task'> => ({
  task: aTaskSpec({ networks: [{ target: 'net', aliases: [], options }] }),
});
const IPS = '10.9.0.50,10.9.0.51';
const fixed = (of: Partial<ServiceSpec> = {}, ips = IPS): ServiceSpec =>
  aSpec({
    mode: { kind: 'replicated', replicas: 2 },
    ...on({ 'com.viaduct.ip': ips, 'com.viaduct.vip': '10.9.0.9' }),
    ...of,
  });

const aCluster = (): SmallCluster =>
  new SmallCluster().set('network', aNetwork('net', '10.9.0.0/24')).node('n1').node('n2');

const addresses = (cluster: SmallCluster): readonly string[] =>
  cluster.wanted.flatMap(({ networks }) => networks.flatMap((each) => each.addresses.map(bare))).sort();
const owners = (cluster: SmallCluster, address: string): string | undefined =>
  cluster.state.get('ip', `net/${address}`)?.owner;

const settle = (cluster: SmallCluster): void => {
  for (let i = 0; i < 10 && cluster.pass().units.length > 0; i += 1);
};

describe('S9: chosen addresses', () => {
  test('are the service’s and, one each, its tasks’', () => {
    const cluster = aCluster();
    const service = cluster.service(fixed());
    settle(cluster);
    expect(addresses(cluster)).toEqual(['10.9.0.50', '10.9.0.51']);
    expect(cluster.state.get('service', service.id)?.endpoint?.virtualIps).toEqual([
      { networkId: 'net', addresses: ['10.9.0.9/24'] },
    ]);
    expect(owners(cluster, '10.9.0.9')).toBe(`service/${service.id}`);
    expect(owners(cluster, '10.9.0.50')).toMatch(/^task\//);
  });

  test('are nobody else’s, also while no task has them, and a task’s successor has them when it has ended', () => {
    const cluster = aCluster();
    const service = cluster.service(fixed());
    settle(cluster);
    for (const task of cluster.wanted) cluster.report(task, 'running', { runningAt: cluster.now });
    settle(cluster);
    const [first] = cluster.wanted;
    if (!first) throw new Error('no task');
    const had = bare(first.networks[0]?.addresses[0] ?? '');
    cluster.report(first, 'failed');
    cluster.now += 60_000;
    settle(cluster);
    cluster.now += 60_000;
    settle(cluster);
    expect(addresses(cluster)).toEqual(['10.9.0.50', '10.9.0.51']);
    expect(owners(cluster, had)).not.toBe(`task/${first.id}`);
    expect(owners(cluster, had)).toMatch(/^task\//);
    cluster.service(aSpec({ name: 'others', mode: { kind: 'replicated', replicas: 60 }, ...on({}) }), {
      id: 'others',
    });
    settle(cluster);
    expect(owners(cluster, '10.9.0.9')).toBe(`service/${service.id}`);
    expect(addresses(cluster).filter((address) => IPS.split(',').includes(address))).toHaveLength(2);
    expect(new Set(addresses(cluster)).size).toBe(62);
  });

  test('are free again when the service is gone and its tasks have ended', () => {
    const cluster = aCluster();
    const service = cluster.service(fixed());
    settle(cluster);
    const { tasks } = cluster;
    cluster.state.set('service', service.id, undefined, cluster.now);
    settle(cluster);
    expect(owners(cluster, '10.9.0.9')).toBeUndefined();
    expect(owners(cluster, '10.9.0.50')).toMatch(/^task\//);
    for (const task of tasks) cluster.report(task, 'shutdown');
    settle(cluster);
    expect(owners(cluster, '10.9.0.50')).toBeUndefined();
  });

  test.each([
    [fixed({}, '10.9.0.50'), '1 IPv4 addresses for 2 replicas'],
    [fixed({}, '10.9.0.50,10.9.0.50'), 'named twice'],
    [fixed({}, '10.9.0.50,10.8.0.1'), 'address 10.8.0.1 is in no subnet of network net'],
    [fixed({}, '10.9.0.50,10.9.0.255'), 'is given to nobody'],
    [fixed({}, '10.9.0.50,x'), 'invalid address "x"'],
    [fixed({ mode: { kind: 'global' } }), 'needs a replicated service'],
    [fixed({ endpoint: { mode: 'dnsrr', ports: [] } }), 'dnsrr'],
    [fixed({ ...on({ 'com.viaduct.vip': '10.9.0.8,10.9.0.9' }) }), 'more than one IPv4 address'],
  ])('what cannot be is refused (%#)', (spec, text) => {
    const { state } = aCluster();
    const view = { state, now: NOW, newId: () => 'new' };
    expect(() => createService(view, spec)).toThrow(text);
  });

  test('more replicas than addresses are refused, as are another’s addresses', () => {
    const cluster = aCluster();
    const service = cluster.service(fixed());
    settle(cluster);
    const view = { state: cluster.state, now: NOW, newId: () => 'new' };
    const { version = 0 } = cluster.state.get('service', service.id) ?? {};
    const more = fixed({ mode: { kind: 'replicated', replicas: 3 } });
    expect(() => updateService(view, service.id, version, more)).toThrow('2 IPv4 addresses for 3 replicas');
    updateService(view, service.id, version, fixed({ labels: { a: 'b' } }));
    expect(() => createService(view, fixed({ name: 'other' }))).toThrow('is in use');
  });
});
