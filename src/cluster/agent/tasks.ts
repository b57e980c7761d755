/**
 * The tasks of this node, each brought one step after the other to where it is wanted (step.ts). Invariants: one step at a time a task;
 * a task has at most one container; what was said of it never goes back.
 */
import type { Logger } from '../../log.js';
import { type DesiredState, hasEnded, type TaskState } from '../../model/swarm/task.js';
import type { AssignedItem, TaskSaid } from '../session/assigned.js';
import { bodyOf, type Filled, filled, graceOf, type Here, nameOf, type TaskItem } from './container.js';
import type { TaskContainer, TaskEngine } from './contract.js';
import { type FileMount, filesOf, type TaskFiles } from './files.js';
import { type Said, type Step, sayFailed, stepOf } from './step.js';

/** milliseconds: by then a task that is to end has left the balancers of all nodes */
const BALANCED_MS = 500;
/** behind a step that failed and says nothing about the task */
const AGAIN_MS = 1_000;

export interface TaskSettings {
  readonly engine: TaskEngine;
  readonly files: TaskFiles;
  readonly here: Here;
  /** By its key. */
  readonly item: (key: string) => AssignedItem | undefined;
  /** It is known what is wanted. Until then nothing ends because nobody wants it. */
  readonly knows: () => boolean;
  /** undefined: not this node's, or not any more */
  readonly wanted: (taskId: string) => TaskItem | undefined;
  readonly said: Map<string, TaskSaid>;
  /** Something was said of the task. */
  readonly told: (taskId: string) => void;
  /** A network that this node makes for itself is there. Throws what stands in its way. */
  readonly makeNetwork: (networkId: string) => void;
  /** It has a container less. */
  readonly ended: () => void;
  readonly now: () => number;
  /** Ends with the signal, too. */
  readonly pause: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

export interface Tasks {
  /** Something about the task may have changed. */
  look(taskId: string): void;
  /** All that there are, and containers of others, which go. */
  lookAtAll(taskIds: Iterable<string>): void;
  /** Resolves when no step is being taken. */
  settled(): Promise<void>;
}

/** What a manager has ended over this node's head is brought to its end, which is then said. */
const desiredOf = ({ status, desired }: TaskItem): DesiredState =>
  hasEnded(status.state) ? 'shutdown' : desired;

/** Where a task of which nothing was said stands. A leader that rejects it waits for our word; our own word was as far on. */
const toldOf = ({ status: { state } }: TaskItem): TaskState => (state === 'rejected' ? 'assigned' : state);

const words = (error: unknown): string => (error instanceof Error ? error.message : String(error));

export const createTasks = (settings: TaskSettings): Tasks => {
  const { engine, files, here, wanted, said, now, pause, log, signal } = settings;
  const running = new Map<string, Promise<void>>();
  const again = new Set<string>();
  /** of tasks whose image is being fetched */
  const fetching = new Map<string, AbortController>();

  const isGoing = (taskId: string): boolean => {
    const task = wanted(taskId);
    return task !== undefined && !['shutdown', 'remove'].includes(desiredOf(task));
  };

  const tell = (
    task: TaskItem,
    { state, message, err }: Said,
    container: TaskContainer | undefined,
  ): void => {
    const before = said.get(task.id);
    const runningAt = state === 'running' ? now() : before?.runningAt;
    said.set(task.id, {
      ...{ id: task.id, state, message, err, at: now() },
      ...(runningAt === undefined ? {} : { runningAt }),
      ...(container
        ? { container: { id: container.id, pid: container.pid, exitCode: container.exitCode } }
        : before?.container
          ? { container: before.container }
          : {}),
      ...(container && container.ports.length > 0 ? { ports: [...container.ports] } : {}),
    });
    settings.told(task.id);
    if (hasEnded(state)) settings.ended();
  };

  const layFiles = ({ task, facts, env }: Filled): Promise<readonly FileMount[]> =>
    files.lay(task.id, filesOf(task.made, settings.item, { facts, env }));

  const make = async (task: TaskItem): Promise<void> => {
    const { container, registryAuth } = task.made;
    const abort = new AbortController();
    fetching.set(task.id, abort);
    try {
      await engine.prepareImage(container.Image, registryAuth, AbortSignal.any([abort.signal, signal]));
    } finally {
      fetching.delete(task.id);
    }
    if (!isGoing(task.id)) return; // it was told to stop meanwhile
    const made = filled(task, here);
    const mounts = await layFiles(made);
    for (const { networkId } of task.networks) settings.makeNetwork(networkId);
    await engine.create(task.id, nameOf(task), bodyOf(made.task, here, mounts));
  };

  /** The machine may have been started anew since its container was made. */
  const start = async (task: TaskItem, { id }: TaskContainer): Promise<void> => {
    if (!files.has(task.id)) await layFiles(filled(task, here));
    await engine.start(id);
  };

  const stop = async (task: TaskItem, { id }: TaskContainer): Promise<void> => {
    await pause(BALANCED_MS, signal);
    if (signal.aborted) return;
    await engine.stop(id, graceOf(task));
  };

  /** Answers false where there is nothing more to do for now. */
  const take = async (task: TaskItem, container: TaskContainer | undefined, step: Step): Promise<boolean> => {
    switch (step.do) {
      case 'rest':
        return false;
      case 'say':
        tell(task, step.said, container);
        return true;
      case 'make':
      case 'start': {
        const work = step.do === 'start' && container ? start(task, container) : make(task);
        await work.catch((error: unknown) => {
          const failed = sayFailed(step.do === 'make' ? 'preparing' : 'starting', words(error));
          if (!signal.aborted && isGoing(task.id) && failed.do === 'say')
            tell(task, failed.said, engine.container(task.id));
        });
        return true;
      }
      case 'stop':
        if (container) await stop(task, container);
        return true;
      case 'remove':
        if (container) await engine.remove(container.id);
        return true;
    }
  };

  /** Nobody wants it any more. */
  const forget = async (taskId: string): Promise<void> => {
    const container = engine.container(taskId);
    if (container) {
      if (container.pid !== 0) await engine.stop(container.id, 0);
      await engine.remove(container.id);
    }
    await files.clear(taskId);
    said.delete(taskId);
    settings.ended();
  };

  const steps = async (taskId: string): Promise<void> => {
    while (!signal.aborted) {
      again.delete(taskId);
      const task = wanted(taskId);
      if (!task) {
        await forget(taskId);
        if (!again.has(taskId)) return;
        continue;
      }
      const container = engine.container(taskId);
      const last = said.get(taskId)?.state ?? toldOf(task);
      if (hasEnded(last)) await files.clear(taskId);
      const goesOn = await take(task, container, stepOf(desiredOf(task), container, last));
      if (!goesOn && !again.has(taskId)) return;
    }
  };

  const run = async (taskId: string): Promise<void> => {
    while (!signal.aborted) {
      try {
        return await steps(taskId);
      } catch (error) {
        if (signal.aborted) return;
        log.warn({ task: taskId, error: words(error) }, 'a task is not yet as it should be');
        await pause(AGAIN_MS, signal);
      }
    }
  };

  const look = (taskId: string): void => {
    if (!settings.knows()) return;
    if (!isGoing(taskId)) fetching.get(taskId)?.abort();
    again.add(taskId);
    if (signal.aborted || running.has(taskId)) return;
    const done = run(taskId).finally(() => {
      running.delete(taskId);
      if (again.has(taskId)) look(taskId);
    });
    running.set(taskId, done);
  };
  const stopListening = engine.onChange(look);
  signal.addEventListener('abort', stopListening, { once: true });

  return {
    look,
    lookAtAll(taskIds) {
      const all = new Set([...taskIds, ...said.keys(), ...engine.taskIds()]);
      for (const id of all) look(id);
    },
    async settled() {
      while (running.size > 0) await Promise.all(running.values());
    },
  };
};
