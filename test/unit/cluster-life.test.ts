/** Pure parts of a cluster's life: what begins anew with one manager, what specs become, what refusals say, what events tell. */
import { describe, expect, test } from 'vitest';
import { readClusterSpec, readInit } from '../../src/api/read/swarm.js';
import type { Entry, EtcdStatus, MemberId } from '../../src/cluster/etcd/contract.js';
import { beginAnew } from '../../src/cluster/life/anew.js';
import { toldOf } from '../../src/cluster/life/events.js';
import { handOver } from '../../src/cluster/life/hand-over.js';
import { freshNode } from '../../src/cluster/life/reception.js';
import { DEFAULT_SPEC, mergeSpec } from '../../src/cluster/life/spec.js';
import { decodeRecord } from '../../src/cluster/mirror/codec.js';
import { textOf } from '../../src/cluster/mirror/write.js';
import { leavingManager, noQuorum } from '../../src/cluster/words.js';
import { createFakeEtcd } from '../support/fake-etcd.js';
import { aNetwork } from '../support/swarm-records.js';

const node = (id: string, role: 'worker' | 'manager') => freshNode(id, 1, { role, availability: 'active' });
const entry = (key: string, value: string): Entry => ({
  key: `/p/${key}`,
  value,
  createRevision: 1,
  modRevision: 1,
  version: 1,
});

test('a cluster that begins anew has one manager, no sessions, no leader, and all else as it was', () => {
  const entries = [
    entry('cluster', '{}'),
    entry('leader', 'b'),
    entry('manager/b', 'b:1'),
    entry('member/a', 'old'),
    entry('member/b', 'old'),
    ...[node('a', 'manager'), node('b', 'manager'), node('c', 'worker')].map((each) =>
      entry(`node/${each.id}`, textOf(each)),
    ),
    entry('session/c', '{}'),
    entry('task/t', '{}'),
  ];
  const own = { do: 'put', key: '/p/member/a', value: 'new' } as const;
  const operations = beginAnew(entries, '/p/', { nodeId: 'a', member: own }, 2);
  const deleted = operations.flatMap((each) => (each.do === 'delete' && 'key' in each ? each.key : []));
  expect(deleted.sort()).toEqual(['/p/leader', '/p/manager/b', '/p/member/b', '/p/session/c']);
  const put = operations.flatMap((each) => (each.do === 'put' ? [each] : []));
  expect(put.map(({ key }) => key)).toEqual(['/p/node/b', '/p/member/a']);
  expect(decodeRecord('node', put[0]?.value ?? '')).toMatchObject({ id: 'b', role: 'worker' });
});

test('a record is read as it was written, and what is none is refused', () => {
  const written = node('a', 'manager');
  const { version, created, seen, firstSeen, ...value } = written;
  expect(decodeRecord('node', textOf(written))).toEqual(value);
  for (const wrong of ['', '[]', '{"id":"a"}', textOf({ ...written, role: 'king' } as never)])
    expect(() => decodeRecord('node', wrong)).toThrow();
});

test('an update says the whole spec: what it does not say becomes the default', () => {
  expect(mergeSpec(DEFAULT_SPEC, readClusterSpec({ Dispatcher: { HeartbeatPeriod: 7 } }))).toEqual({
    ...DEFAULT_SPEC,
    heartbeatPeriod: 7,
  });
  const { spec } = readInit({ AutoLockManagers: true, Spec: { Labels: { a: 'b' } } }, 52);
  expect(mergeSpec(DEFAULT_SPEC, spec)).toEqual({ ...DEFAULT_SPEC, autoLock: true, labels: { a: 'b' } });
});

test.each([
  [{ Name: 'other' }, 'swarm spec must be named "default"'],
  [{ CAConfig: { NodeCertExpiry: 1 } }, 'minimum certificate expiry time is: 1h0m0s'],
  [{ Dispatcher: { HeartbeatPeriod: -1 } }, 'heartbeat time period cannot be a negative duration'],
  [{ CAConfig: { ExternalCAs: [{}] } }, 'external certificate authorities are not supported'],
])('the spec %j is refused', (spec, words) => {
  expect(() => mergeSpec(DEFAULT_SPEC, readClusterSpec(spec))).toThrow(words);
});

test.each([
  [{ DataPathPort: 80 }, 'Datapath port number is not in valid range (1024-49151) : 80'],
  [{ DefaultAddrPool: ['10.0.0.0/8'], SubnetSize: 30 }, 'subnet size is out of range: 30'],
  [
    { DefaultAddrPool: ['10.0.0.0/26'] },
    'invalid CIDR: "10.0.0.0/26". Subnet size is too small for pool: 24',
  ],
  [{ Availability: 'gone' }, 'invalid Availability: "gone"'],
])('init with %j is refused', (body, words) => {
  expect(() => readInit(body, 52)).toThrow(words);
});

test('who refuses says how many managers there are', () => {
  expect(leavingManager({ reachable: 1, all: 1 })).toContain(
    'Removing the last manager erases all current state',
  );
  expect(leavingManager({ reachable: 2, all: 3 })).toContain(
    'Removing this node leaves 1 managers out of 3.',
  );
  expect(leavingManager({ reachable: 5, all: 5 })).not.toContain('leaves');
  expect(noQuorum({ reachable: 2, all: 5 })).toContain('2 of 5 managers can be reached, 3 are needed');
});

test('events say what of a node has changed', () => {
  const before = node('a', 'worker');
  const said = { description: { hostname: 'host' } };
  const after = {
    ...before,
    availability: 'drain' as const,
    status: { state: 'ready' as const, message: '' },
  };
  const told = (from: typeof before | undefined, to: typeof after | undefined) =>
    toldOf([{ kind: 'node', id: 'a', before: from, after: to }], { get: () => said as never });
  expect(told(before, after)[0]).toEqual({
    type: 'node',
    action: 'update',
    scope: 'swarm',
    actor: {
      id: 'a',
      attributes: {
        name: 'host',
        'availability.old': 'active',
        'availability.new': 'drain',
        'state.old': 'unknown',
        'state.new': 'ready',
      },
    },
  });
  expect(told(undefined, after)[0]?.action).toBe('create');
  expect(told(before, undefined)[0]?.action).toBe('remove');
});

test('D8: docker events tells of a network of the swarm, by its name', () => {
  const network = aNetwork('n1', '10.0.1.0/24');
  const of = (before?: typeof network, after?: typeof network) =>
    toldOf([{ kind: 'network', id: 'n1', before, after }], { get: () => undefined })[0];
  const event = { type: 'network', scope: 'swarm', actor: { id: 'n1', attributes: { name: 'n1' } } };
  expect(of(undefined, network)).toEqual({ ...event, action: 'create' });
  expect(of(network, undefined)).toEqual({ ...event, action: 'remove' });
});

describe('S1: a manager that goes', () => {
  const own = '1' as MemberId;
  const member = (id: string) => ({ address: `${id}:1`, member: id as MemberId });
  const members = new Map([
    ['own', member('1')],
    ['dead', member('2')],
    ['other', member('3')],
  ]);
  /** Members that etcd's leadership was handed to, by one that has it (`leader` 1), and what became of the office. */
  const goes = async (leader: string, living: readonly string[]) => {
    const handed: string[] = [];
    const store = createFakeEtcd({ now: () => 0 }).connect();
    const createRevision = await store.put('/p/leader', 'own');
    const etcd = {
      ...store,
      status: async () => ({ leader, memberId: own }) as EtcdStatus, // all of it that is asked for
      handOver: async (to: MemberId) => void handed.push(to),
    };
    const mirror = { members, living: new Set(living) };
    await handOver({ mirror, etcd, nodeId: 'own' }, { key: '/p/leader', createRevision });
    return { handed, left: (await store.range({ prefix: '/p/' })).entries.length };
  };

  test('leads nothing any more, and etcd is led by one that lives', async () => {
    expect(await goes('1', ['own', 'other'])).toEqual({ handed: ['3'], left: 0 });
  });

  test('hands over nothing that another one leads, or where nobody else lives', async () => {
    expect((await goes('3', ['own', 'other'])).handed).toEqual([]);
    expect((await goes('1', ['own'])).handed).toEqual([]);
  });
});
