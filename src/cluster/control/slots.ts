/**
 * A service's tasks, slot by slot: a number of a replicated service, a node of a global one. In a slot one task is wanted at a
 * time, two for as long as an update starts the new one first; the others are its history.
 */
import type { Service } from '../../model/swarm/service.js';
import { hasEnded, isAfter, type Task } from '../../model/swarm/task.js';
import { type Bucket, type ClusterState, isWanted } from './state.js';

/** Oldest first; never empty. */
export type Slot = readonly Task[];
export type SlotKey = string | number;

const byAge = (a: Task, b: Task): number =>
  a.created - b.created || a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1);

/** Oldest first: what is decided must not depend on the order in which an index happens to have its tasks. */
export const byAgeOf = (tasks: Iterable<Task>): readonly Task[] => [...tasks].sort(byAge);

const isGlobal = ({ spec }: Service): boolean =>
  spec.mode.kind === 'global' || spec.mode.kind === 'global-job';

const slotted = (service: Service, tasks: Iterable<Task>): ReadonlyMap<SlotKey, Slot> => {
  const slots = new Map<SlotKey, Task[]>();
  const global = isGlobal(service);
  for (const task of tasks) {
    const key = global ? task.nodeId : task.slot;
    const slot = slots.get(key);
    if (slot) slot.push(task);
    else slots.set(key, [task]);
  }
  return slots;
};

interface Sorted {
  readonly revision: number;
  readonly tasks: readonly Task[];
  readonly present: ReadonlyMap<SlotKey, Slot>;
}

/** A look at a service asks several times, and nothing has changed between. */
const SORTED = new WeakMap<Bucket, Sorted>();

const sorted = (service: Service, bucket: Bucket): Sorted => {
  const known = SORTED.get(bucket);
  if (known?.revision === bucket.revision) return known;
  const tasks = byAgeOf(bucket.tasks.values());
  const present = tasks.filter((t) => t.desired !== 'remove' && t.iteration === service.job?.iteration);
  const made = { revision: bucket.revision, tasks, present: slotted(service, present) };
  SORTED.set(bucket, made);
  return made;
};

/** With what is to vanish, and of all runs of a job. */
export const allSlots = (service: Service, bucket: Bucket): ReadonlyMap<SlotKey, Slot> =>
  slotted(service, sorted(service, bucket).tasks);

/** Of the present run of a job; tasks that are to vanish are in no slot. */
export const slotsOf = (service: Service, bucket: Bucket): ReadonlyMap<SlotKey, Slot> =>
  sorted(service, bucket).present;

export const wantedIn = (slot: Slot): Slot => slot.filter(isWanted);

/** A node on which nothing is to run: none, lost, or being emptied. */
export const isUnfit = (state: ClusterState, nodeId: string): boolean => {
  const node = state.get('node', nodeId);
  return !node || node.status.state === 'down' || node.availability === 'drain';
};

/**
 * Nothing of it runs any more and nothing will: its node said so, or never heard of it, or is given up. What the leader decided
 * over a node's head is no proof.
 */
export const isOver = (state: ClusterState, task: Task): boolean => {
  const report = state.report(task);
  if ((report && hasEnded(report.state)) || task.status.state === 'orphaned') return true;
  return !isWanted(task) && isAfter('assigned', task.status.state);
};

/** It may still run, but nobody can tell: its node is given up. */
export const isLost = (state: ClusterState, { nodeId }: Task): boolean => {
  const node = state.get('node', nodeId);
  return !node || node.status.state === 'down';
};
