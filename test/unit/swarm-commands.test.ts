/** S3, S10: what a manager is asked to change, and what it refuses. */
import { describe, expect, test } from 'vitest';
import { createBlob, removeBlob, updateBlob } from '../../src/cluster/control/commands/blobs.js';
import {
  createService,
  rollbackService,
  updateService,
} from '../../src/cluster/control/commands/services.js';
import type { Unit } from '../../src/cluster/control/draft.js';
import { toldOf } from '../../src/cluster/life/events.js';
import type { Service } from '../../src/model/swarm/service.js';
import { aSpec, aTaskSpec, kept, NOW, SmallCluster } from '../support/swarm-records.js';

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
