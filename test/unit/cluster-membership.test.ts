/** S1: who is a member of etcd's, and who should be: what the leader does about those that nobody minds any more. */
import { beforeEach, expect, test } from 'vitest';
import type { Member, MemberId } from '../../src/cluster/etcd/contract.js';
import { EtcdError } from '../../src/cluster/etcd/failure.js';
import { createMembership, dueFor } from '../../src/cluster/life/membership.js';
import { freshNode } from '../../src/cluster/life/reception.js';
import type { MemberRecord } from '../../src/cluster/mirror/member.js';
import { WORDS } from '../../src/cluster/words.js';
import type { Node } from '../../src/model/swarm/node.js';
import { until } from '../support/run.js';

const aNode = (id: string, of: Partial<Node> = {}): Node => ({
  ...freshNode(id, 0, { role: 'manager', availability: 'active' }),
  ...of,
});
const left = { state: 'down', message: WORDS.left } as const;
const dead = { state: 'down', message: '' } as const;

test.each([
  { member: 'n', learner: true, node: aNode('n'), isKnown: false, due: 'vote' },
  { member: '', learner: true, node: undefined, isKnown: false, due: 'vote' },
  { member: 'n', learner: true, node: aNode('n', { role: 'worker' }), isKnown: false, due: 'remove' },
  { member: 'n', learner: true, node: undefined, isKnown: false, due: 'remove' },
  { member: 'n', learner: false, node: aNode('n'), isKnown: false, due: 'record' },
  { member: 'n', learner: false, node: aNode('n', { status: dead }), isKnown: false, due: 'record' },
  { member: 'n', learner: false, node: aNode('n', { status: left }), isKnown: false, due: 'remove' },
  { member: 'n', learner: false, node: aNode('n'), isKnown: true, due: undefined },
  { member: 'n', learner: false, node: aNode('n', { role: 'worker' }), isKnown: true, due: undefined },
])(
  'S1: member "$member", learner $learner, known $isKnown: $due',
  ({ member: name, learner, node, isKnown, due }) => {
    expect(dueFor({ name, learner }, { node, isKnown })).toBe(due);
  },
);

let members: Member[];
let nodes: Map<string, Node>;
let known: Map<string, MemberRecord>;
let living: Set<string>;
let follows: boolean;
const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

const aMember = (id: string, name: string, learner: boolean): Member => ({
  ...{ id: id as MemberId, name, learner },
  peerUrls: [`https://10.0.0.${id}:2377`],
});

/** A manager like any other: etcd's members, what is written of them and of nodes are the test's. */
const aManager = () =>
  createMembership({
    etcd: {
      members: async () => [...members],
      addLearner: async () => Promise.reject(new Error('not here')),
      promote: async (id) => {
        if (!follows) throw new EtcdError({ kind: 'not-ready' }, 'etcd: it does not follow');
        members = members.map((each) => (each.id === id ? { ...each, learner: false } : each));
      },
      removeMember: async (id) => {
        members = members.filter((each) => each.id !== id);
      },
    },
    mirror: {
      members: known,
      living: living as never,
      state: { get: (_: string, id: string) => nodes.get(id) } as never,
    },
    register: {
      keep: async (key, value) => void known.set(key.replace('member/', ''), JSON.parse(value)),
    },
    log: quiet,
    signal: new AbortController().signal,
  });

const ids = (): string[] => members.map(({ id }) => id);

beforeEach(() => {
  members = [aMember('1', 'first', false), aMember('2', 'second', false)];
  nodes = new Map(['first', 'second'].map((id) => [id, aNode(id)]));
  known = new Map(members.map(({ id, name }) => [name, { address: '', member: id }]));
  living = new Set(['first', 'second']);
  follows = true;
});

test('S1: who joined by a manager that died then has its vote from the leader, and others know it', async () => {
  members.push(aMember('3', 'third', true));
  nodes.set('third', aNode('third'));
  await aManager().tend();
  await until('it is known', () => known.has('third'));
  expect(known.get('third')).toEqual({ address: '10.0.0.3:2377', member: '3' });
  expect(members.every(({ learner }) => !learner)).toBe(true);
});

test('S1: a voter that nobody wrote down is written down, and is left alone where it is', async () => {
  members.push(aMember('3', 'third', false));
  nodes.set('third', aNode('third'));
  const manager = aManager();
  await manager.tend();
  expect(known.get('third')?.member).toBe('3');
  await manager.tend();
  expect(ids()).toEqual(['1', '2', '3']);
});

test('S1: a learner that never comes loses its place, so that others can join', async () => {
  follows = false;
  members.push(aMember('3', '', true));
  await aManager().tend();
  await until('its place is free', () => ids().length === 2);
});

test('S1: a member whose node is no manager is taken out, but not by one who may only not have read of it yet', async () => {
  members.push(aMember('3', 'third', false));
  const manager = aManager();
  await manager.tend();
  expect(ids()).toEqual(['1', '2', '3']);
  nodes.set('third', aNode('third')); // it is read now
  await manager.tend();
  expect(known.has('third')).toBe(true);
  known.delete('third');
  nodes.set('third', aNode('third', { role: 'worker' }));
  await manager.tend();
  expect(ids()).toEqual(['1', '2', '3']);
  await manager.tend();
  expect(ids()).toEqual(['1', '2']);
});

test('S1: nobody is taken out where the others would have no quorum then', async () => {
  members.push(aMember('3', 'third', false));
  nodes.set('third', aNode('third', { role: 'worker' }));
  living.delete('second');
  const manager = aManager();
  for (let look = 0; look < 3; look += 1) await manager.tend();
  expect(ids()).toEqual(['1', '2', '3']);
});
