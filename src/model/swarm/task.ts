/**
 * Tasks: one container of a service that is to run on a node. What is wanted of it is the leader's record, what has become of
 * it the node's; they have keys of their own, so that the two never get in each other's way.
 */
import type { NetworkAddresses, PortConfig } from './endpoint.js';
import type { Instant, Kept } from './kept.js';

/** In this order: of two observations the one that is further on is the true one. `shutdown`: it ended as it was told to. */
export const TASK_STATES = [
  ...(['new', 'pending', 'assigned', 'accepted', 'preparing', 'ready', 'starting', 'running'] as const),
  ...(['complete', 'shutdown', 'failed', 'rejected', 'remove', 'orphaned'] as const),
] as const;
export type TaskState = (typeof TASK_STATES)[number];

const ORDER = Object.fromEntries(TASK_STATES.map((state, at) => [state, at])) as Readonly<
  Record<TaskState, number> // every state is in the list it is made of
>;

/** A task never goes back: `later` may follow `earlier`. */
export const isAfter = (later: TaskState, earlier: TaskState): boolean => ORDER[later] > ORDER[earlier];

/** It has come to its end, whichever. */
export const hasEnded = (state: TaskState): boolean => isAfter(state, 'running');

/** `ready`: prepared, but not to be started yet; `complete`: a job's, to run to its end; `remove`: gone when it has ended */
export type DesiredState = 'ready' | 'running' | 'complete' | 'shutdown' | 'remove';

/** What may follow what: a task that was told to stop is never told to start. */
export const NEXT_DESIRED: Readonly<Record<DesiredState, readonly DesiredState[]>> = {
  ready: ['running', 'complete', 'shutdown', 'remove'],
  running: ['shutdown', 'remove'],
  complete: ['shutdown', 'remove'],
  shutdown: ['remove'],
  remove: [],
};

export interface TaskStatus {
  readonly state: TaskState;
  readonly message: string;
  /** empty: nothing is wrong */
  readonly err: string;
  /** by the clock of whoever says it */
  readonly at: Instant;
}

/** `task/ID`: the leader's. */
export interface Task extends Kept {
  readonly id: string;
  readonly serviceId: string;
  /** `service-spec/SERVICE/N`: what it is made by */
  readonly spec: number;
  /** from 1 (jobs: from 0); 0 of a global service, whose slots are its nodes */
  readonly slot: number;
  /** empty: none yet */
  readonly nodeId: string;
  readonly desired: DesiredState;
  /** as far as the leader has brought it, or what it has decided over the node's head */
  readonly status: TaskStatus;
  readonly networks: readonly NetworkAddresses[];
  /** of a job: which of its runs; absent: of no job */
  readonly iteration?: number;
  /** the spec version that a rolling update left when it made this task: whether it comes up says whether the update goes on */
  readonly updating?: number;
  /** milliseconds from its making until it may be started */
  readonly delay: number;
  readonly createdAt: Instant;
}

/** `task-status/ID`: the node's, written by the manager that it has its session with. */
export interface TaskReport extends Kept, TaskStatus {
  /** the task's */
  readonly id: string;
  /** when it was first seen running, by the node's clock; absent: never */
  readonly runningAt?: Instant;
  readonly container?: { readonly id: string; readonly pid: number; readonly exitCode: number };
  /** of ports published by the node itself */
  readonly ports?: readonly PortConfig[];
}

/** What is known of a task: whichever of leader and node is further on. */
export const statusOf = (task: Task, report: TaskReport | undefined): TaskStatus =>
  report && isAfter(report.state, task.status.state) ? report : task.status;

/** The name of a task's container, as swarmkit forms it; `service`: its name. */
export const containerNameOf = (
  service: string,
  { id, slot, nodeId }: Pick<Task, 'id' | 'slot' | 'nodeId'>,
): string => `${service}.${slot === 0 ? nodeId : slot}.${id}`;
