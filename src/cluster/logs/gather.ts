/**
 * Logs of a service's tasks, or of one task, from all nodes that have them, for one client. With `follow` tasks that come later are joined, and
 * a node that was away goes on where it stopped; it is over when there is nothing any more that could write. Without, what could not be had is
 * told at the end, in Docker's words.
 */
import { setMaxListeners } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { messageOf } from '../../errors.js';
import type { Logger } from '../../log.js';
import type { Task } from '../../model/swarm/task.js';
import type { LogSelection, LogWish, ServiceLine } from '../contract.js';
import type { ClusterState } from '../control/state.js';
import { rpcError } from '../rpc.js';
import { type Branch, createBranch, type Line, type Source } from './branch.js';
import { createFunnel } from './funnel.js';
import type { Summons } from './summons.js';

/** milliseconds: until a node that went away is asked again; and what is left may still say when all records are gone */
const AGAIN_MS = 1_000;
const REST_MS = 5_000;

export interface GatherSettings {
  readonly state: ClusterState;
  readonly call: Summons['call'];
  readonly log: Logger;
  /** It is over. */
  readonly gone: () => void;
}

export interface Gathering {
  lines(): AsyncGenerator<ServiceLine>;
  /** Tasks may have come or gone. */
  look(): void;
  close(): void;
}

/** Of those that have a record. */
export const tasksIn = (state: ClusterState, { serviceId, taskId }: LogSelection): readonly Task[] => {
  if (taskId === undefined) return [...state.tasksOf(serviceId).tasks.values()];
  const task = state.get('task', taskId);
  return task ? [task] : [];
};

const incomplete = (reasons: Iterable<string>): Error =>
  rpcError(
    'Unknown',
    `warning: incomplete log stream. some logs could not be retrieved for the following reasons: ${[...reasons].join(', ')}`,
  );

export const createGathering = (
  { state, call, log, gone }: GatherSettings,
  selection: LogSelection,
  { stdout, stderr, since, follow, tail }: LogWish,
): Gathering => {
  const over = new AbortController();
  setMaxListeners(0, over.signal); // each node that is asked has one
  const funnel = createFunnel<readonly Line[]>();
  /** all that were ever asked for and have a record, by task */
  const sources = new Map<string, Source>();
  /** those that may have more to say, by node */
  const open = new Map<string, Set<Source>>();
  const branches = new Map<string, Branch>();
  /** nodes that are being asked, with a connection or on the way to one */
  const asked = new Set<string>();
  const reasons = new Set<string>();
  let begun = false;
  let rest: NodeJS.Timeout | undefined;

  const tasks = (): readonly Task[] => tasksIn(state, selection);
  const finish = (): void => {
    if (over.signal.aborted) return;
    over.abort();
    clearTimeout(rest);
    gone();
    for (const branch of branches.values()) branch.close();
    funnel.end(reasons.size > 0 && !follow ? incomplete(reasons) : undefined);
  };

  const mayCome = (): boolean => {
    const { serviceId, taskId } = selection;
    if (!follow) return false;
    if (taskId !== undefined) return state.get('task', taskId) !== undefined && !sources.get(taskId)?.ended;
    return state.get('service', serviceId) !== undefined || tasks().length > 0;
  };

  const finishIfOver = (): void => {
    if (over.signal.aborted || mayCome()) return;
    if (open.size === 0) finish();
    // The records are gone: a node that has not said all by then will not any more.
    else if (follow) rest ??= setTimeout(finish, REST_MS);
  };

  const end = (source: Source, reason: string): void => {
    source.ended = true;
    const left = open.get(source.nodeId);
    left?.delete(source);
    if (left?.size === 0) open.delete(source.nodeId);
    if (reason !== '') reasons.add(reason);
  };

  /** One connection's life. */
  const visit = async (nodeId: string): Promise<void> => {
    const socket = await call(nodeId, over.signal);
    if (over.signal.aborted) return void socket.destroy();
    const branch = createBranch(socket, {
      nodeId,
      wish: { stdout, stderr, since, follow },
      put: funnel.put,
      ended(source, reason) {
        end(source, reason);
        if (!open.has(nodeId)) branch.close();
      },
    });
    branches.set(nodeId, branch);
    try {
      branch.order([...(open.get(nodeId) ?? [])]);
      await branch.run();
    } finally {
      branches.delete(nodeId);
    }
  };

  const attend = async (nodeId: string): Promise<void> => {
    asked.add(nodeId);
    while (!over.signal.aborted && open.has(nodeId)) {
      try {
        await visit(nodeId);
      } catch (error) {
        log.debug({ node: nodeId, error: messageOf(error) }, 'logs of a node have ended');
        if (!follow) for (const source of open.get(nodeId) ?? []) end(source, messageOf(error));
        else await pause(AGAIN_MS, undefined, { signal: over.signal }).catch(() => {});
      }
    }
    asked.delete(nodeId);
    finishIfOver();
  };

  const add = (task: Task): Source => {
    // Of a task that is new everything is news.
    const source: Source = {
      taskId: task.id,
      nodeId: task.nodeId,
      tail: begun ? -1 : tail,
      place: undefined,
      ended: false,
    };
    sources.set(task.id, source);
    open.set(task.nodeId, (open.get(task.nodeId) ?? new Set()).add(source));
    return source;
  };

  const look = (): void => {
    if (over.signal.aborted) return;
    const fresh = new Map<string, Source[]>();
    for (const task of tasks()) {
      if (sources.has(task.id)) continue;
      if (task.nodeId === '') {
        if (!follow) reasons.add(`task ${task.id} has not been scheduled`);
        continue;
      }
      fresh.set(task.nodeId, [...(fresh.get(task.nodeId) ?? []), add(task)]);
    }
    for (const [nodeId, added] of fresh) {
      if (!asked.has(nodeId)) void attend(nodeId);
      else branches.get(nodeId)?.order(added);
    }
    for (const [id, { ended }] of sources) if (ended && !state.get('task', id)) sources.delete(id);
    for (const [nodeId, branch] of branches) if (!state.get('node', nodeId)) branch.close();
    begun = true;
    finishIfOver();
  };

  const { serviceId } = selection;
  const viewOf = ({ stream, time, text, source: { taskId, nodeId } }: Line): ServiceLine => ({
    stream,
    time,
    text,
    taskId,
    nodeId,
    serviceId,
  });

  return {
    async *lines() {
      try {
        look();
        for await (const batch of funnel.read()) for (const line of batch) yield viewOf(line);
      } finally {
        finish();
      }
    },
    look() {
      if (follow && begun) look();
    },
    close: finish,
  };
};
