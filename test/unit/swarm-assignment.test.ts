/** S2 S3 S6: what one node is told of a cluster, as a function of the records; that the changes in turn give the whole, the simulation shows. */
import { PassThrough } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { assignedTo, difference, itemsOf } from '../../src/cluster/control/assignment.js';
import { Shared } from '../../src/cluster/control/shared.js';
import { createAssigning } from '../../src/cluster/session/assigning.js';
import { frames } from '../../src/cluster/session/frames.js';
import { fromManager } from '../../src/cluster/session/protocol.js';
import type { ServiceSpec } from '../../src/model/swarm/service.js';
import type { Task } from '../../src/model/swarm/task.js';
import { until } from '../support/run.js';
import { aNetwork, aSpec, aTask, aTaskSpec, kept, NOW, SmallCluster } from '../support/swarm-records.js';

const to = (nodeId: string, ...asked: string[]) => ({
  nodeId,
  asked: new Set(asked),
  openSecret: ({ data }: { readonly data: string }) => data,
});
const keysOf = (cluster: SmallCluster, nodeId: string, ...asked: string[]): string[] =>
  [...itemsOf(assignedTo(cluster.state, to(nodeId, ...asked))).keys()].filter(
    (key) => !key.startsWith('node/'),
  );
const item = (cluster: SmallCluster, nodeId: string, key: string) =>
  itemsOf(assignedTo(cluster.state, to(nodeId))).get(key);

const twoNodes = (of: Partial<ServiceSpec> = {}) => {
  const cluster = new SmallCluster().node('n1').node('n2').node('n3');
  for (const id of ['n1', 'n2', 'n3'])
    cluster.set('node-state', {
      ...kept,
      id,
      description: {
        ...{
          hostname: `host-${id}`,
          architecture: '',
          os: '',
          nanoCpus: 0,
          memoryBytes: 0,
          engineVersion: '',
        },
        ...{ labels: {}, plugins: [], tls: { trustRoot: '', issuerSubject: '', issuerPublicKey: '' } },
      },
      address: '192.0.2.1',
      dataAddress: `192.0.2.${id.slice(1)}`,
      routes: [],
      faults: [],
    });
  cluster.set('network', aNetwork('net', '10.0.1.0/24'));
  const task = aTaskSpec({ networks: [{ target: 'net', aliases: ['www', 'a'], options: {} }] });
  const endpoint = { mode: 'vip', ports: [] } as const;
  const service = cluster.service(aSpec({ task, ...of }), {
    endpoint: { spec: 1, ports: [], virtualIps: [{ networkId: 'net', addresses: ['10.0.1.2/24'] }], err: '' },
    spec: aSpec({ task, endpoint, ...of }),
  });
  const on = (address: string) => [{ networkId: 'net', addresses: [`${address}/24`] }];
  const tasks = [
    aTask(service, { id: 't1', nodeId: 'n1', networks: on('10.0.1.3') }),
    aTask(service, { id: 't2', slot: 2, nodeId: 'n2', networks: on('10.0.1.4') }),
  ] as const;
  for (const each of tasks) cluster.set('task', each);
  return { cluster, tasks };
};

const backends = (cluster: SmallCluster): readonly string[] => {
  const found = item(cluster, 'n1', 'balancer/net/idweb');
  return found?.kind === 'balancer' ? found.backends.map(({ id }) => id) : [];
};

describe('S2: a node', () => {
  test('has its tasks, their networks, who else is there, and nothing of networks that it has no part in', () => {
    const { cluster } = twoNodes();
    expect(keysOf(cluster, 'n1')).toEqual(['task/t1', 'balancer/net/idweb', 'network/net', 'peer/net/n2']);
    expect(keysOf(cluster, 'n3')).toEqual([]);
    expect(keysOf(cluster, 'n3', 'net')).toEqual([
      ...['balancer/net/idweb', 'network/net', 'peer/net/n1', 'peer/net/n2'],
    ]);
    expect(item(cluster, 'n1', 'peer/net/n2')).toMatchObject({
      endpoints: [
        {
          id: 't2',
          containerName: 'web.2.t2',
          mac: '02:42:0a:00:01:04',
          ipv4: '10.0.1.4/24',
          dnsNames: ['web.2.t2'],
        },
      ],
    });
    expect(item(cluster, 'n3', 'node/n2')).toEqual({
      ...{ kind: 'node', id: 'n2', hostname: 'host-n2', number: 2, dataAddress: '192.0.2.2' },
    });
  });
  test('is told nothing that is not in form', () => {
    const { cluster } = twoNodes();
    const set = [...itemsOf(assignedTo(cluster.state, to('n1'))).values()];
    expect(
      fromManager.parse(JSON.parse(JSON.stringify({ type: 'assign', whole: true, set, unset: [] }))),
    ).toEqual({
      ...{ type: 'assign', whole: true, set, unset: [] },
    });
  });
  test('has every container on an attachable network, also of other hosts, until it is gone', () => {
    const { cluster } = twoNodes();
    const attachment = {
      ...{ ...kept, id: 'e1', nodeId: 'n3', networkId: 'net', addresses: ['10.0.1.9/24'] },
      ...{ containerId: 'c1', containerName: 'mine', mac: '02:42:0a:00:01:09', dnsNames: ['mine', 'alias'] },
    };
    cluster.set('attach', attachment);
    expect(keysOf(cluster, 'n3')).toContain('network/net');
    expect(item(cluster, 'n1', 'peer/net/n3')).toMatchObject({
      endpoints: [{ id: 'e1', dnsNames: ['mine', 'alias'] }],
    });
    cluster.state.set('attach', 'e1', undefined, NOW);
    expect(keysOf(cluster, 'n3')).toEqual([]);
    expect(keysOf(cluster, 'n1')).not.toContain('peer/net/n3');
  });
  test('hears of a peer as long as its node has not said that it has ended', () => {
    const { cluster, tasks } = twoNodes();
    cluster.set('task', { ...tasks[1], desired: 'shutdown' });
    expect(keysOf(cluster, 'n1')).toContain('peer/net/n2');
    cluster.report(tasks[1], 'shutdown');
    expect(keysOf(cluster, 'n1')).not.toContain('peer/net/n2');
    // Its container stays as long as the task's record does, and needs no network.
    expect(keysOf(cluster, 'n2')).toEqual(['task/t2']);
    expect(item(cluster, 'n2', 'task/t2')).toMatchObject({ status: { state: 'shutdown' } });
  });
});

describe('S6: a service’s backends', () => {
  test('are tasks that run, are to run, and whose nodes answer; all where no node does', () => {
    const { cluster, tasks } = twoNodes();
    expect(backends(cluster)).toEqual([]);
    for (const task of tasks) cluster.report(task, 'running');
    expect(item(cluster, 'n1', 'balancer/net/idweb')).toEqual({
      ...{
        kind: 'balancer',
        networkId: 'net',
        serviceId: 'idweb',
        names: ['web', 'a', 'www'],
        vip4: '10.0.1.2',
      },
      backends: [
        { id: 't1', node: 'n1', ipv4: '10.0.1.3' },
        { id: 't2', node: 'n2', ipv4: '10.0.1.4' },
      ],
      ports: [],
    });
    const down = (id: string) => cluster.node(id, { status: { state: 'down', message: '' } });
    down('n1');
    expect(backends(cluster)).toEqual(['t2']);
    down('n2');
    expect(backends(cluster)).toEqual(['t1', 't2']);
    cluster.set('task', { ...tasks[0], desired: 'shutdown' });
    expect(backends(cluster)).toEqual(['t2']);
    // Connections to what is only told to stop stay; those to a lost node's tasks do not.
    cluster.node('n1');
    expect(item(cluster, 'n1', 'balancer/net/idweb')).toMatchObject({ leaving: ['10.0.1.3'] });
    cluster.report(tasks[0], 'shutdown');
    expect(item(cluster, 'n2', 'balancer/net/idweb')).not.toHaveProperty('leaving');
  });
  test('of a published port are told to every node', () => {
    const { cluster } = twoNodes();
    cluster.set('network', aNetwork('mesh', '10.0.0.0/24', true));
    const port = { name: '', protocol: 'tcp', targetPort: 80, publishedPort: 8080, mode: 'ingress' } as const;
    const virtualIps = [{ networkId: 'mesh', addresses: ['10.0.0.2/24'] }];
    const spec = aSpec({ name: 'shop' });
    const service = cluster.service(spec, { endpoint: { spec: 1, ports: [port], virtualIps, err: '' } });
    const networks = [{ networkId: 'mesh', addresses: ['10.0.0.3/24'] }];
    const task = aTask(service, { id: 't9', nodeId: 'n3', networks });
    cluster.set('task', task).report(task, 'running');
    expect(item(cluster, 'n2', 'balancer/mesh/idshop')).toMatchObject({
      ...{ names: [], ports: [{ protocol: 'tcp', publishedPort: 8080, targetPort: 80 }] },
      ...{ vip4: '10.0.0.2', backends: [{ id: 't9', node: 'n3', ipv4: '10.0.0.3' }] },
    });
  });
});

describe('what is made again', () => {
  test('is the network on which something has changed; all else is the same object, and nobody compares it', () => {
    const { cluster, tasks } = twoNodes();
    cluster.set('network', aNetwork('mesh', '10.0.0.0/24', true));
    const shared = new Shared(cluster.state);
    const part = (nodeId: string, name: string) => assignedTo(cluster.state, to(nodeId), shared).get(name);
    const [nodes, mesh, net] = [part('n1', 'nodes'), part('n1', 'network/mesh'), part('n1', 'network/net')];
    expect(part('n3', 'network/mesh')).toBe(mesh);
    cluster.report(tasks[1], 'running');
    expect([part('n1', 'nodes'), part('n1', 'network/mesh')]).toEqual([nodes, mesh]);
    expect(part('n1', 'nodes')).toBe(nodes);
    expect(part('n1', 'network/mesh')).toBe(mesh);
    expect(part('n1', 'network/net')).not.toBe(net);
    expect(part('n1', 'network/net')?.get('peer/net/n2')).toBe(net?.get('peer/net/n2'));
    const before = new Map([['network/net', net ?? new Map()]]);
    const after = new Map([['network/net', part('n1', 'network/net') ?? new Map()]]);
    expect(difference(before, after).set.map(({ kind }) => kind)).toEqual(['balancer']);
  });
});

test('a node that does not read is told later what is then, and nothing between', async () => {
  const { cluster, tasks } = twoNodes();
  const over = new AbortController();
  const epochs = new Map([['n1', 'e']]);
  const { openSecret } = to('');
  const assigning = createAssigning({ mirror: cluster, epochs, openSecret, signal: over.signal });
  const wire = new PassThrough({ highWaterMark: 64 });
  const channel = frames(wire, { limit: () => 0, message: () => {}, closed: () => {} });
  wire.removeAllListeners('data').pause();
  assigning.begin('n1', channel);
  await until('it is told all', () => wire.writableLength + wire.readableLength > 0);
  const length = wire.writableLength + wire.readableLength;
  const task = (of: Partial<Task>) => {
    cluster.set('task', { ...tasks[0], ...of });
    assigning.changed([{ kind: 'task', id: 't1', before: tasks[0], after: tasks[0] }]);
  };
  for (let delay = 0; delay < 50; delay += 1) task({ delay });
  await new Promise((resolve) => setTimeout(resolve, 150));
  expect(wire.writableLength + wire.readableLength).toBe(length);
  const messages: unknown[] = [];
  frames(wire, { limit: () => 1e6, message: (message) => messages.push(message), closed: () => {} });
  wire.resume();
  await until('it was told the rest', () => messages.length === 2);
  expect(messages[1]).toMatchObject({
    whole: false,
    set: [{ kind: 'task', id: 't1', delay: 49 }],
    unset: [],
  });
  over.abort();
});

test('a node is told nothing before the mirror shows its session, nor when another manager has it', async () => {
  const { cluster, tasks } = twoNodes();
  const over = new AbortController();
  const { openSecret } = to('');
  const epochs = new Map([['n1', 'mine']]);
  const assigning = createAssigning({ mirror: cluster, epochs, openSecret, signal: over.signal });
  const messages: object[] = [];
  const channel = {
    ...frames(new PassThrough(), { limit: () => 0, message() {}, closed() {} }),
    clogged: false,
  };
  const session = (epoch: string) => {
    const before = cluster.state.get('session', 'n1');
    cluster.set('session', { ...kept, id: 'n1', manager: 'm', epoch });
    assigning.changed([{ kind: 'session', id: 'n1', before, after: before }]);
  };
  session('former');
  assigning.begin('n1', { ...channel, send: (message) => messages.push(message) });
  await new Promise((resolve) => setTimeout(resolve, 120));
  expect(messages).toEqual([]);
  session('mine');
  await until('it is told all', () => messages.length === 1);
  expect(messages[0]).toMatchObject({ whole: true });
  session('of another manager');
  cluster.set('task', { ...tasks[0], delay: 1 });
  assigning.changed([{ kind: 'task', id: 't1', before: tasks[0], after: tasks[0] }]);
  await new Promise((resolve) => setTimeout(resolve, 120));
  expect(messages).toHaveLength(1);
  over.abort();
});
