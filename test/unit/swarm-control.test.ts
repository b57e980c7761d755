/** S3: the controllers of a cluster, one behaviour at a time; what holds of all together is shown by the simulation. */
import { describe, expect, test } from 'vitest';
import { parseConstraints, satisfies } from '../../src/cluster/control/constraint.js';
import { control } from '../../src/cluster/control/index.js';
import { transactions } from '../../src/cluster/control/transactions.js';
import type { Placement, ServiceSpec } from '../../src/model/swarm/service.js';
import type { Task } from '../../src/model/swarm/task.js';
import { aNode, aSpec, aTaskSpec, NOW, SmallCluster } from '../support/swarm-records.js';

const SECOND = 1_000_000_000;
const PLACEMENT: Placement = { constraints: [], spread: [], maxReplicas: 0, platforms: [] };

const replicas = (count: number, of: Partial<ServiceSpec> = {}): ServiceSpec =>
  aSpec({ mode: { kind: 'replicated', replicas: count }, ...of });

/** All tasks run. */
const run = (cluster: SmallCluster): void => {
  for (const task of cluster.wanted) cluster.report(task, 'running', { runningAt: cluster.now });
};

const nodesOf = (tasks: readonly Task[]): readonly string[] => tasks.map(({ nodeId }) => nodeId).sort();

describe('S3: replicas', () => {
  test('come in one pass, with a node each, those with fewest tasks first', () => {
    const cluster = new SmallCluster().node('n1').node('n2');
    cluster.service(replicas(4));
    cluster.pass();
    expect(nodesOf(cluster.wanted)).toEqual(['n1', 'n1', 'n2', 'n2']);
    expect(cluster.wanted.map(({ desired, status }) => [desired, status.state])).toEqual(
      Array(4).fill(['running', 'assigned']),
    );
    expect(cluster.pass().units).toEqual([]);
  });
  test('a pass leaves the state as it was, and decides the same again', () => {
    const cluster = new SmallCluster().node('n1');
    cluster.service(replicas(3));
    const seen = (): string =>
      JSON.stringify([
        ...cluster.state.all('task'),
        ...cluster.state.all('service'),
        ...cluster.state.all('ip'),
      ]);
    const before = seen();
    const decide = (): string => {
      let ids = 0;
      const newId = (): string => {
        ids += 1;
        return `x${ids}`;
      };
      return JSON.stringify(control(cluster.state, NOW, newId));
    };
    const first = decide();
    expect(first).toContain('"x3"');
    expect(seen()).toBe(before);
    expect([...cluster.state.unallocated]).toEqual([]);
    expect(decide()).toBe(first);
  });
  test('spread over the values of a label, as evenly as may be', () => {
    const cluster = new SmallCluster()
      .node('n1', { labels: { zone: 'a' } })
      .node('n2', { labels: { zone: 'a' } })
      .node('n3', { labels: { zone: 'b' } });
    const placement = { ...PLACEMENT, spread: ['node.labels.zone'] };
    cluster.service(replicas(4, { task: aTaskSpec({ placement }) }));
    cluster.pass();
    expect(nodesOf(cluster.wanted)).toEqual(['n1', 'n2', 'n3', 'n3']);
  });
  test('fewer of them: those of the node with most go, and those that do not run', () => {
    const cluster = new SmallCluster().node('n1').node('n2');
    const service = cluster.service(replicas(4));
    cluster.pass();
    run(cluster);
    const [first] = cluster.wanted;
    if (!first) throw new Error('no task');
    cluster.set('service', { ...service, ...cluster.state.get('service', service.id), spec: replicas(2) });
    cluster.pass();
    expect(nodesOf(cluster.wanted)).toEqual(['n1', 'n2']);
    expect(cluster.tasks.filter(({ desired }) => desired === 'remove')).toHaveLength(2);
  });
});

describe('S3: a task that has no node says why', () => {
  const errOf = (cluster: SmallCluster): string | undefined => {
    cluster.pass();
    return cluster.wanted.at(-1)?.status.err;
  };
  test('in swarmkit’s words', () => {
    const none = new SmallCluster();
    none.service(replicas(1));
    expect(errOf(none)).toBe('no suitable node');
    const paused = new SmallCluster().node('n1', { availability: 'pause' });
    paused.service(replicas(1));
    expect(errOf(paused)).toBe('no suitable node (1 node not available for new tasks)');
    const other = new SmallCluster().node('n1').node('n2').node('n3', { availability: 'drain' });
    const placement = { ...PLACEMENT, constraints: ['node.labels.disk == ssd'] };
    other.service(replicas(1, { task: aTaskSpec({ placement }) }));
    expect(errOf(other)).toBe(
      'no suitable node (scheduling constraints not satisfied on 2 nodes; 1 node not available for new tasks)',
    );
    const small = new SmallCluster().node('n1');
    const reservations = { nanoCpus: 0, memoryBytes: 1024 ** 3, generic: [] };
    small.service(replicas(1, { task: aTaskSpec({ resources: { reservations } }) }));
    expect(errOf(small)).toBe('no suitable node (insufficient resources on 1 node)');
    const one = new SmallCluster().node('n1');
    one.service(replicas(2, { task: aTaskSpec({ placement: { ...PLACEMENT, maxReplicas: 1 } }) }));
    expect(errOf(one)).toBe('no suitable node (max replicas per node limit exceed)');
    const taken = new SmallCluster().node('n1');
    const port = { name: '', protocol: 'tcp', targetPort: 80, publishedPort: 80, mode: 'host' } as const;
    taken.service(replicas(2, { endpoint: { mode: 'vip', ports: [port] } }));
    expect(errOf(taken)).toBe('no suitable node (host-mode port already in use on 1 node)');
  });
  test('and is given one as soon as there is one', () => {
    const cluster = new SmallCluster();
    cluster.service(replicas(1));
    cluster.pass();
    cluster.node('n1').pass();
    expect(cluster.wanted).toMatchObject([{ nodeId: 'n1', status: { state: 'assigned', err: '' } }]);
  });
});

describe('S3: a task that ends', () => {
  const failing = (of: Partial<ServiceSpec> = {}): SmallCluster => {
    const cluster = new SmallCluster().node('n1');
    cluster.service(replicas(1, of));
    cluster.pass();
    return cluster;
  };
  test('is followed by another after the delay', () => {
    const cluster = failing();
    for (const task of cluster.wanted) cluster.report(task, 'failed');
    expect(cluster.pass().wake).toBe(NOW + 5000);
    expect(cluster.wanted).toMatchObject([{ desired: 'ready' }]);
    cluster.now += 5000;
    cluster.pass();
    expect(cluster.wanted).toMatchObject([{ desired: 'running' }]);
  });
  test('only so many times', () => {
    const cluster = failing({
      task: aTaskSpec({ restart: { condition: 'any', delay: 0, maxAttempts: 2 } }),
    });
    for (let again = 0; again < 5; again += 1) {
      for (const task of cluster.wanted) cluster.report(task, 'failed');
      cluster.pass();
      cluster.now += 1000;
    }
    expect(cluster.tasks).toHaveLength(3);
    expect(cluster.wanted).toEqual([]);
  });
  test('within the window alone', () => {
    const restart = { condition: 'any', delay: 0, maxAttempts: 1, window: 10 * SECOND } as const;
    const cluster = failing({ task: aTaskSpec({ restart }) });
    for (let again = 0; again < 4; again += 1) {
      cluster.now += 60_000;
      for (const task of cluster.wanted) cluster.report(task, 'failed');
      cluster.pass();
    }
    expect(cluster.wanted).toHaveLength(1);
  });
  test('is not followed where it is to run only once', () => {
    const cluster = failing({ task: aTaskSpec({ restart: { condition: 'none', maxAttempts: 0 } }) });
    for (const task of cluster.wanted) cluster.report(task, 'complete');
    cluster.pass();
    cluster.pass();
    expect(cluster.tasks).toMatchObject([{ desired: 'shutdown' }]);
  });
});

describe('S3: a node', () => {
  test('without a session is given up after three heartbeats, or when Serf misses it too', () => {
    const cluster = new SmallCluster().node('n1');
    cluster.state.set('session', 'n1', undefined, NOW);
    expect(cluster.pass().wake).toBe(NOW + 15_000);
    expect(cluster.state.get('node', 'n1')?.status.state).toBe('disconnected');
    cluster.now += 15_000;
    cluster.pass();
    expect(cluster.state.get('node', 'n1')?.status).toEqual({ state: 'down', message: 'heartbeat failure' });
  });
  test('that is lost: its tasks run elsewhere, and keep their addresses for a day', () => {
    const cluster = new SmallCluster().node('n1').node('n2');
    cluster.service(
      replicas(2, { task: aTaskSpec({ restart: { condition: 'any', delay: 0, maxAttempts: 0 } }) }),
    );
    cluster.pass();
    run(cluster);
    const lost = cluster.wanted.find(({ nodeId }) => nodeId === 'n1');
    if (!lost) throw new Error('no task');
    cluster.set('ip', { ...aNode('n1'), id: 'net/10.0.0.9', owner: `task/${lost.id}` });
    cluster.state.set('session', 'n1', undefined, cluster.now);
    cluster.now += 15_000;
    cluster.pass();
    cluster.pass();
    expect(nodesOf(cluster.wanted)).toEqual(['n2', 'n2']);
    expect(cluster.state.get('ip', 'net/10.0.0.9')).toBeDefined();
    cluster.now += 25 * 3600 * 1000;
    cluster.pass();
    cluster.pass();
    expect(cluster.state.get('task', lost.id)?.status.state).toBe('orphaned');
    expect(cluster.state.get('ip', 'net/10.0.0.9')).toBeUndefined();
  });
  test('that is emptied: the next task waits until the old one has stopped, and for nothing else', () => {
    const cluster = new SmallCluster().node('n1').node('n2', { availability: 'pause' });
    cluster.service(replicas(1));
    cluster.pass();
    run(cluster);
    const [old] = cluster.wanted;
    if (!old) throw new Error('no task');
    cluster.node('n1', { availability: 'drain' }).node('n2').pass();
    expect(cluster.wanted).toMatchObject([{ nodeId: 'n2', desired: 'ready' }]);
    cluster.report(old, 'shutdown').pass();
    expect(cluster.wanted).toMatchObject([{ nodeId: 'n2', desired: 'running' }]);
  });
  test('that no longer fits: its tasks are rejected and placed again', () => {
    const cluster = new SmallCluster().node('n1', { labels: { disk: 'ssd' } });
    const placement = { ...PLACEMENT, constraints: ['node.labels.disk == ssd'] };
    cluster.service(replicas(1, { task: aTaskSpec({ placement }) }));
    cluster.pass();
    run(cluster);
    cluster
      .node('n1')
      .node('n2', { labels: { disk: 'ssd' } })
      .pass();
    expect(cluster.tasks[0]?.status).toMatchObject({
      state: 'rejected',
      message: 'task rejected by constraint enforcer',
      err: 'assigned node no longer meets constraints',
    });
    expect(cluster.wanted).toMatchObject([{ nodeId: 'n2' }]);
  });
});

describe('S3: jobs', () => {
  test('run so many at a time until there were so many', () => {
    const cluster = new SmallCluster().node('n1');
    const mode = { kind: 'replicated-job', maxConcurrent: 2, totalCompletions: 3 } as const;
    cluster.service(aSpec({ mode }), { job: { iteration: 0, lastExecution: NOW } });
    cluster.pass();
    expect(cluster.wanted.map(({ desired }) => desired)).toEqual(['complete', 'complete']);
    for (const task of cluster.wanted) cluster.report(task, 'complete');
    cluster.pass();
    expect(cluster.tasks).toHaveLength(3);
    for (const task of cluster.wanted) cluster.report(task, 'complete');
    cluster.pass();
    expect(cluster.pass().units).toEqual([]);
    expect(cluster.tasks.map(({ slot }) => slot).sort()).toEqual([0, 1, 2]);
  });
});

describe('S3: constraints', () => {
  const node = { node: aNode('n1', { labels: { zone: 'North' } }), state: undefined };
  test.each([
    ['node.labels.zone == north', true],
    ['node.labels.zone != north', false],
    ['node.labels.other != x', true],
    ['node.role == worker', true],
    ['node.id==n1', true],
    ['node.hostname == x', false],
    ['node.ip == 192.0.2.0/24', false],
    ['node.nonsense == x', false],
  ])('%s: %s', (text, expected) => {
    expect(satisfies([text], node)).toBe(expected);
  });
  test('that cannot be read, in swarmkit’s words', () => {
    expect(parseConstraints(['node.role'])).toBe('constraint expected one operator from ==, !=');
    expect(parseConstraints(['!x == y'])).toBe("key '!x' is invalid");
    expect(parseConstraints(['node.role == a,b'])).toBe("value 'a,b' is invalid");
  });
});

test('S3: transactions compare the leader’s key, its turn and all that they change; a hundred changes at most', () => {
  const cluster = new SmallCluster().node('n1');
  cluster.service(replicas(250));
  const { units } = cluster.pass();
  const leader = { key: 'p/leader', createRevision: 7 };
  const all = transactions(units, { prefix: 'p/', leader, turn: undefined });
  expect(all.length).toBeGreaterThan(2);
  for (const [at, { compare, success }] of all.entries()) {
    expect(success.length).toBeLessThanOrEqual(100);
    expect(compare).toContainEqual(leader);
    expect(compare[1]).toEqual(
      at === 0
        ? { key: 'p/turn', createRevision: 0 }
        : { key: 'p/turn', value: success[0] && previous(all, at) },
    );
    expect(new Set(compare.map(({ key }) => key))).toEqual(
      new Set([leader.key, ...success.map(({ key }) => key)]),
    );
  }
});

/** What the transaction before wrote as its turn. */
const previous = (all: ReturnType<typeof transactions>, at: number): string => {
  const [turn] = all[at - 1]?.success ?? [];
  return turn?.do === 'put' ? turn.value : '';
};
