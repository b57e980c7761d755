/**
 * Decides which nodes of the swarm are ready, disconnected or down. A session says that one is there; when it goes, the node has the time of three heartbeats to find another
 * manager, unless Serf says that it does not answer either. A node that stays away keeps its tasks' addresses for a day, as
 * they may run there.
 */
import type { Instant } from '../../model/swarm/kept.js';
import { type Liveness, NEXT_LIVENESS, type Node } from '../../model/swarm/node.js';
import { keyOf } from '../../model/swarm/records.js';
import type { TaskStatus } from '../../model/swarm/task.js';
import { claim, type Draft } from './draft.js';
import { byAgeOf, isOver } from './slots.js';
import { earliest, NEVER } from './times.js';

const NS_PER_MS = 1_000_000;
/** What a cluster says that says nothing: five seconds. */
const HEARTBEAT = 5_000;
/** Three heartbeats. */
const graceIn = ({ state }: Draft): number =>
  3 * ((state.get('cluster', '')?.spec.heartbeatPeriod ?? 0) / NS_PER_MS || HEARTBEAT);
/** A day. */
const GIVEN_UP = 24 * 3600 * 1000;

const MESSAGES: Readonly<Record<Liveness, string>> = {
  unknown: '',
  ready: '',
  disconnected: 'node is currently trying to find new manager',
  down: 'heartbeat failure',
};

/** Without a session; a new node has until its first one. */
const absentSince = ({ state }: Draft, { id, firstSeen }: Node): Instant =>
  Math.max(state.lostAt(id), firstSeen);

const stateOf = (draft: Draft, node: Node): Liveness => {
  const { id, status } = node;
  if (draft.state.get('session', id)) return 'ready';
  if (status.state === 'down' || draft.state.failed.has(id)) return 'down';
  if (draft.now >= absentSince(draft, node) + graceIn(draft)) return 'down';
  return status.state === 'ready' ? 'disconnected' : status.state;
};

const messageFor = (from: Liveness, to: Liveness): string =>
  to === 'down' && from === 'unknown' ? 'heartbeat failure for node in "unknown" state' : MESSAGES[to];

const watch = (draft: Draft, node: Node): Instant => {
  const next = stateOf(draft, node);
  const from = node.status.state;
  if (next !== from && NEXT_LIVENESS[from].includes(next))
    draft.unit(['node', { ...node, status: { state: next, message: messageFor(from, next) } }]);
  return next === 'disconnected' || next === 'unknown' ? absentSince(draft, node) + graceIn(draft) : NEVER;
};

/** Lowest first: the number is the conntrack zone of what came by the node. */
const number = (draft: Draft, node: Node): void => {
  const { state } = draft;
  let free = 1;
  while (free < 65_536 && state.get('number', String(free))) free += 1;
  if (free === 65_536) return;
  draft.unit(
    ['node', { ...(state.get('node', node.id) ?? node), number: free }],
    ['number', claim(draft, String(free), keyOf('node', node.id))],
  );
};

const orphan = (draft: Draft, nodeId: string, message: string): void => {
  const { state, now } = draft;
  const status: TaskStatus = { state: 'orphaned', message, err: '', at: now };
  for (const task of byAgeOf(state.tasksOn(nodeId).tasks.values()))
    if (!isOver(state, task)) draft.unit(['task', { ...task, status }]);
};

/** Answers when to look again. */
export const nodes = (draft: Draft): Instant => {
  const { state, now } = draft;
  const wakes: Instant[] = [];
  for (const node of state.all('node').values()) {
    wakes.push(watch(draft, node));
    if (node.number === 0) number(draft, node);
    if (state.get('node', node.id)?.status.state !== 'down') continue;
    const end = absentSince(draft, node) + GIVEN_UP;
    if (now >= end) orphan(draft, node.id, 'the node has been down for a day');
    else if (state.tasksOn(node.id).tasks.size > 0) wakes.push(end);
  }
  for (const nodeId of state.nodesWithTasks)
    if (!state.get('node', nodeId)) orphan(draft, nodeId, 'the node was removed from the cluster');
  return earliest(wakes);
};
