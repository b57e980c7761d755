/** S3, S10: what a manager is asked to change, and what it refuses. */
import { describe, expect, test } from 'vitest';
import { assignedTo, itemsOf } from '../../src/cluster/control/assignment.js';
import { createBlob, removeBlob, updateBlob } from '../../src/cluster/control/commands/blobs.js';
import { createNetwork, isBeingLeft, removeNetwork } from '../../src/cluster/control/commands/networks.js';
import {
  createService,
  rollbackService,
  updateService,
} from '../../src/cluster/control/commands/services.js';
import type { Unit } from '../../src/cluster/control/draft.js';
import type { Compare, Txn } from '../../src/cluster/etcd/contract.js';
import { toldOf } from '../../src/cluster/life/events.js';
import { openBlob } from '../../src/cluster/life/secrets.js';
import { createServices } from '../../src/cluster/life/services.js';
import type { Blob } from '../../src/model/swarm/cluster.js';
import type { Service, ServiceMode, ServiceSpec } from '../../src/model/swarm/service.js';
import { aNetwork, aSpec, aTask, aTaskSpec, kept, NOW, SmallCluster } from '../support/swarm-records.js';

const viewOf = (cluster: SmallCluster) => ({ state: cluster.state, now: NOW, newId: () => 'i1' });

/** As one transaction: with one revision. */
const carryOut = (cluster: SmallCluster, unit: Unit, revision: number): void => {
  for (const { kind, id, record } of unit)
    cluster.state.set(kind, id, record && ({ ...record, version: revision } as never), NOW); // of its own kind
};

describe('S3: a change of a service', () => {
  const image = (name: string) => aSpec({ task: aTaskSpec({ container: { Image: name } }) });
  const made = (): SmallCluster => {
    const cluster = new SmallCluster();
    carryOut(cluster, createService(viewOf(cluster), image('one')).unit, 10);
    return cluster;
  };
  const now = (cluster: SmallCluster): Service => {
    const service = cluster.state.get('service', 'i1');
    if (!service) throw new Error('no service');
    return service;
  };

  test('may be made from what was seen before the leader wrote, but not before another change', () => {
    const cluster = made();
    const endpoint = { spec: 1, ports: [], virtualIps: [], err: '' };
    carryOut(
      cluster,
      [{ kind: 'service', id: 'i1', version: 10, record: { ...now(cluster), endpoint } }],
      11,
    );
    carryOut(cluster, updateService(viewOf(cluster), 'i1', 10, image('two')), 12);
    expect(now(cluster).spec.task.container.Image).toBe('two');
    for (const seen of [10, 11, 13])
      expect(() => updateService(viewOf(cluster), 'i1', seen, image('three'))).toThrow(
        'update out of sequence',
      );
    carryOut(cluster, rollbackService(viewOf(cluster), 'i1', 12), 14);
    expect(now(cluster).spec.task.container.Image).toBe('one');
    expect(() => updateService(viewOf(cluster), 'i1', 12, image('three'))).toThrow('update out of sequence');
    updateService(viewOf(cluster), 'i1', 14, image('three'));
  });

  test('is told of with what is another now', () => {
    const cluster = made();
    const before = now(cluster);
    const after = {
      ...before,
      spec: { ...image('two'), mode: { kind: 'replicated', replicas: 3 } as const },
    };
    const [event] = toldOf([{ kind: 'service', id: 'i1', before, after }], cluster.state);
    expect(event).toMatchObject({
      type: 'service',
      action: 'update',
      scope: 'swarm',
      actor: {
        id: 'i1',
        attributes: {
          name: 'web',
          'image.old': 'one',
          'image.new': 'two',
          'replicas.old': '1',
          'replicas.new': '3',
        },
      },
    });
  });
});

describe('S3: a manager that is asked for a service', () => {
  const dataKey = Buffer.alloc(32, 7);
  const asked = () => {
    const cluster = new SmallCluster();
    const written: Record<string, string> = {};
    const commit = async ({ success = [], compare = [] }: Txn): Promise<boolean> => {
      for (const each of success) if (each.do === 'put') written[each.key] = each.value;
      compared.push(...compare);
      return true;
    };
    const compared: Compare[] = [];
    const manager = createServices({
      mirror: { state: cluster.state, prefix: '/' },
      store: { commit },
      now: () => NOW,
      dataKey,
    });
    return { cluster, written, compared, manager };
  };

  test('seals the credentials of its image, which only the node that has a task is told', async () => {
    const { cluster, written, manager } = asked();
    const id = await manager.createService(aSpec({ task: aTaskSpec({ registryAuth: 'password' }) }));
    const record = written[`/service/${id}`] ?? '';
    expect(record).not.toContain('password');
    const spec: ServiceSpec = JSON.parse(record).spec;
    const openSecret = (secret: Pick<Blob, 'id' | 'data'>) => openBlob(dataKey, '', secret);
    const service = cluster.node('n1').service(spec);
    cluster.set('task', aTask(service));
    const to = { nodeId: 'n1', asked: new Set<string>(), openSecret };
    expect(itemsOf(assignedTo(cluster.state, to)).get('task/task')).toMatchObject({
      made: { registryAuth: 'password' },
    });
    // Who changes it without giving any does not take them away.
    const change = { spec: aSpec(), credentialsFrom: 'spec' } as const;
    cluster.set('service', service);
    await manager.updateService('web', cluster.state.get('service', service.id)?.version ?? 0, change);
    expect(JSON.parse(written[`/service/${service.id}`] ?? '').spec.task.registryAuth).toBe(
      spec.task.registryAuth,
    );
  });

  test('compares what its spec names, and finds services as moby does', async () => {
    const { cluster, compared, manager } = asked();
    const secret = { ...kept, id: 's1', name: 'word', labels: {}, data: '', createdAt: NOW, updatedAt: NOW };
    cluster.set('secret', secret);
    await manager.createService(
      aSpec({
        task: aTaskSpec({
          secrets: [{ id: 's1', name: 'word', file: { name: 'w', uid: '0', gid: '0', mode: 0o444 } }],
          networks: [{ target: 'host', aliases: [], options: {} }],
        }),
      }),
    );
    expect(compared).toContainEqual({
      key: '/secret/s1',
      createRevision: cluster.state.get('secret', 's1')?.created,
    });
    cluster.service(aSpec({ name: 'one' }));
    cluster.service(aSpec({ name: 'idone' }));
    expect(manager.service('one').id).toBe('idone');
    expect(manager.service('idone').spec.name).toBe('one');
    expect(manager.service('idi').spec.name).toBe('idone');
    expect(() => manager.service('id')).toThrow('service id is ambiguous (2 matches found)');
    for (const nothing of ['', 'x'])
      expect(() => manager.service(nothing)).toThrow(`service ${nothing} not found`);
  });

  test('counts a service’s tasks as swarmkit does', () => {
    const { cluster, manager } = asked();
    const count = (mode: ServiceMode, job?: Service['job']) => {
      const service = cluster.service(aSpec({ mode }), job ? { job } : {});
      const at = job ? { iteration: job.iteration, desired: 'complete' as const } : {};
      for (const id of ['a', 'b', 'c']) cluster.set('task', aTask(service, { ...at, id }));
      cluster.set('task', aTask(service, { id: 'd', desired: 'shutdown', ...(job ? { iteration: 0 } : {}) }));
      for (const id of ['a', 'b']) cluster.report(aTask(service, { ...at, id }), 'running');
      cluster.report(aTask(service, { id: 'c' }), 'complete');
      return manager.counts(service);
    };
    expect(count({ kind: 'replicated', replicas: 7 })).toEqual({ running: 2, desired: 7, completed: 0 });
    expect(count({ kind: 'global' })).toEqual({ running: 2, desired: 3, completed: 0 });
    const job = { iteration: 1, lastExecution: NOW };
    const mode = { kind: 'replicated-job', maxConcurrent: 3, totalCompletions: 9 } as const;
    expect(count(mode, job)).toEqual({ running: 2, desired: 3, completed: 1 });
    expect(count({ kind: 'global-job' }, job)).toEqual({ running: 2, desired: 2, completed: 1 });
  });
});

describe.each([
  ['secret', 512_000],
  ['config', 1_024_000],
] as const)('S10: a %s', (kind, tooMany) => {
  const wish = (name: string, size = 1) => ({ name, labels: {}, data: Buffer.alloc(size, 'x') });
  const make = (cluster: SmallCluster, name: string, size = 1) =>
    createBlob(viewOf(cluster), kind, wish(name, size), (id, data) => `${id} ${data.length}`);

  test('has data of a size, a name of letters, and each name once', () => {
    const cluster = new SmallCluster();
    expect(() => make(cluster, 'a', 0)).toThrow(
      `${kind} data must be larger than 0 and less than ${tooMany} bytes`,
    );
    expect(() => make(cluster, 'a', tooMany)).toThrow('must be larger than 0');
    for (const name of ['-a', 'a.', 'a b', 'é', 'a'.repeat(65)])
      expect(() => make(cluster, name)).toThrow('invalid name');
    expect(() => make(cluster, '')).toThrow('name must be provided');
    carryOut(cluster, make(cluster, 'a.b_c-d', tooMany - 1).unit, 5);
    expect(cluster.state.get(kind, 'i1')).toMatchObject({ name: 'a.b_c-d', data: `i1 ${tooMany - 1}` });
    expect(() => make(cluster, 'a.b_c-d')).toThrow(`${kind} a.b_c-d already exists`);
  });

  test('changes its labels alone, and stays while a service has it', () => {
    const cluster = new SmallCluster();
    carryOut(cluster, make(cluster, 'a').unit, 5);
    const change = (of: object, same = true) =>
      updateBlob(
        viewOf(cluster),
        kind,
        { id: 'i1', version: 5, name: 'a', labels: { x: 'y' }, ...of },
        () => same,
      );
    expect(() => change({ name: 'b' })).toThrow('only updates to Labels are allowed');
    expect(() => change({}, false)).toThrow('only updates to Labels are allowed');
    expect(() => change({ version: 4 })).toThrow('update out of sequence');
    expect(change({})[0]?.record).toMatchObject({ labels: { x: 'y' } });
    const reference = [{ id: 'i1', name: 'a' }];
    cluster.set('service', {
      ...kept,
      id: 's1',
      spec: aSpec({ task: aTaskSpec(kind === 'secret' ? { secrets: reference } : { configs: reference }) }),
      specVersion: 1,
      newestSpec: 1,
      createdAt: NOW,
      updatedAt: NOW,
    });
    expect(() => removeBlob(viewOf(cluster), kind, 'i1')).toThrow(
      `${kind} 'a' is in use by the following service: web`,
    );
    cluster.state.set('service', 's1', undefined, NOW);
    carryOut(cluster, removeBlob(viewOf(cluster), kind, 'i1'), 9);
    expect(cluster.state.get(kind, 'i1')).toBeUndefined();
    carryOut(cluster, make(cluster, 'a').unit, 10);
  });
});

test.each([
  [true, 'ingress network cannot be removed because service s depends on it'],
  [false, 'network net is in use by service s'],
])('D8 S4: a network that a service needs stays (ingress: %s)', (ingress, refusal) => {
  const cluster = new SmallCluster().set('network', aNetwork('net', '10.0.1.0/24', ingress));
  const networks = [{ target: 'net', aliases: [], options: {} }];
  cluster.service(aSpec({ task: aTaskSpec({ networks }) }), { id: 's' });
  expect(() => removeNetwork(viewOf(cluster), 'net')).toThrow(refusal);
});

test.each([
  [{ attachable: true }, 'ingress network cannot be attachable'],
  [{ internal: true }, 'ingress network cannot be internal'],
])(
  'S4: an ingress network that clients outside could not reach services by is refused (%o)',
  (of, refusal) => {
    const { network } = aNetwork('feed', '10.0.1.0/24');
    const wish = {
      network: { ...network, attachable: false, ...of },
      ingress: true,
      overlay: { vnis: [], port: 4789, mtu: 1450 },
    };
    expect(() => createNetwork(viewOf(new SmallCluster()), wish)).toThrow(refusal);
  },
);

test('S4: an ingress network that no service publishes by any more is being left until the last task of it has ended', () => {
  const cluster = new SmallCluster().set('network', aNetwork('feed', '10.0.1.0/24', true)).node('n1');
  const port = { name: '', protocol: 'tcp', targetPort: 80, publishedPort: 80, mode: 'ingress' } as const;
  const service = cluster.service(aSpec({ endpoint: { mode: 'vip', ports: [port] } }));
  const pass = (): void => {
    for (let i = 0; i < 5; i += 1) cluster.pass();
  };
  pass();
  expect(isBeingLeft(cluster.state, 'feed')).toBe(false);
  const { endpoint } = cluster.state.get('service', service.id) ?? {};
  const tasks = cluster.wanted;
  cluster.service(aSpec(), { specVersion: 2, newestSpec: 2, ...(endpoint ? { endpoint } : {}) });
  expect(isBeingLeft(cluster.state, 'feed')).toBe(true);
  pass();
  for (const task of tasks) cluster.report(task, 'shutdown');
  pass();
  expect(isBeingLeft(cluster.state, 'feed')).toBe(false);
  removeNetwork(viewOf(cluster), 'feed');
});
