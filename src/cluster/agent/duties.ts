/**
 * What this node has to do for the cluster, and what it said of it: tasks as they are wanted, brought there one by one (tasks.ts), and
 * told to a manager: all when a session begins, then what has changed.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../../log.js';
import type { TaskState } from '../../model/swarm/task.js';
import type { TaskSaid } from '../session/assigned.js';
import type { Connection } from '../session/connect.js';
import type { Here, TaskItem } from './container.js';
import type { TaskEngine } from './contract.js';
import { createTaskFiles } from './files.js';
import type { Items } from './others.js';
import { createTasks } from './tasks.js';

export interface DutySettings {
  readonly engine: TaskEngine;
  readonly nodeId: string;
  readonly host: Omit<Here, 'nodeId'>;
  /** directory for secrets and configs of its tasks */
  readonly taskFiles: string;
  readonly items: () => Items;
  /** Somebody has said what this node is to have, now or to a former daemon. */
  readonly knows: () => boolean;
  readonly said: Map<string, TaskSaid>;
  readonly connection: () => Connection | undefined;
  /** What was said is to be kept. */
  readonly keep: () => void;
  /** A network that this node makes for itself is there, as a task needs it. Throws what stands in its way. */
  readonly makeNetwork: (networkId: string) => void;
  /** A task has ended: what it needed may go. */
  readonly ended: () => void;
  readonly now: () => number;
  readonly log: Logger;
}

export interface Duties {
  /** Items with these keys have changed. */
  look(keys: Iterable<string>): void;
  /** All tasks; containers of others end. */
  lookAtAll(): void;
  /** A session has begun. */
  welcomed(): void;
  /** Resolves when no task is on its way, or after so many milliseconds. */
  settled(limitMs: number): Promise<void>;
  /** The daemon ends; what runs goes on. */
  close(): Promise<void>;
}

/** milliseconds: a task that is being stopped may have minutes, and goes on stopping with the next daemon */
const CLOSE_MS = 2_000;
/** States on the way: nobody waits for them, and most are over in a moment. */
const ON_THE_WAY: ReadonlySet<TaskState> = new Set(['accepted', 'preparing', 'starting']);
/** milliseconds until they are told all the same, if nothing else is */
const ON_THE_WAY_MS = 100;
/** Tasks of one message. */
const MOST_TOLD = 500;
const TASK = 'task/';

export const createDuties = (settings: DutySettings): Duties => {
  const { items, said, nodeId } = settings;
  const over = new AbortController();
  const untold = new Set<string>();
  let telling: NodeJS.Immediate | undefined;
  let later: NodeJS.Timeout | undefined;

  const wanted = (id: string): TaskItem | undefined => {
    const item = items().get(TASK + id);
    return item?.kind === 'task' ? item : undefined;
  };
  const { hostname, architecture, os } = settings.host;
  const here: Here = { nodeId, hostname, architecture, os };

  /** Without a session it is told when the next one begins. */
  const tell = (ids: Iterable<string>): void => {
    const tasks = [...ids].flatMap((id): readonly TaskSaid[] => {
      const known = said.get(id);
      return known ? [known] : [];
    });
    for (let at = 0; at < tasks.length; at += MOST_TOLD)
      settings.connection()?.say({ type: 'report', tasks: tasks.slice(at, at + MOST_TOLD) });
  };

  const files = createTaskFiles(settings.taskFiles);
  const tellNow = (): void => {
    clearTimeout(later);
    later = undefined;
    tell(untold);
    untold.clear();
  };
  const isAwaited = (id: string): boolean => !ON_THE_WAY.has(said.get(id)?.state ?? 'running');
  /** Each report is a write of the cluster's store: of a task that starts at once there is one. */
  const tellSoon = (): void => {
    telling ??= setImmediate(() => {
      telling = undefined;
      if ([...untold].some(isAwaited)) tellNow();
      else later ??= setTimeout(tellNow, ON_THE_WAY_MS);
    });
  };

  const tasks = createTasks({
    ...settings,
    files,
    here,
    wanted,
    item: (key) => items().get(key),
    pause: (ms, signal) => sleep(ms, undefined, { signal }).catch(() => {}),
    told(id) {
      settings.keep();
      untold.add(id);
      tellSoon();
    },
    signal: over.signal,
  });
  files
    .sweep((id) => wanted(id) !== undefined)
    .catch((error: unknown) =>
      settings.log.warn({ error: String(error) }, 'files of former tasks are still there'),
    );

  const settled = async (limitMs: number): Promise<void> => {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, limitMs);
    });
    await Promise.race([tasks.settled(), late]);
    clearTimeout(timer);
  };

  return {
    look(keys) {
      for (const key of keys) if (key.startsWith(TASK)) tasks.look(key.slice(TASK.length));
    },
    lookAtAll() {
      const ids = [...items().keys()].filter((key) => key.startsWith(TASK));
      tasks.lookAtAll(ids.map((key) => key.slice(TASK.length)));
    },
    // Behind the welcome: only then does the session stand.
    welcomed() {
      for (const id of said.keys()) untold.add(id);
      tellSoon();
    },
    settled,
    async close() {
      over.abort();
      if (telling) clearImmediate(telling);
      clearTimeout(later);
      await settled(CLOSE_MS);
    },
  };
};
