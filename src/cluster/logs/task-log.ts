/** What a task of this node has written, read as a manager ordered it; with `follow` also of a task whose container is still to come. */
import type { TaskLogs } from '../agent/contract.js';
import type { LogOrder } from '../session/protocol.js';
import type { LineRecord } from './records.js';
import { isBehind } from './resume.js';

/** milliseconds: a look without a notice; and how long a task is waited for that no manager has told this node of (the session may lag behind) */
const LOOK_MS = 1_000;
const UNTOLD_MS = 30_000;

export interface TaskLogSettings {
  readonly engine: TaskLogs;
  /** `coming`: it may still get a container; `over`: it will not; undefined: nobody has told of it */
  readonly standing: (taskId: string) => 'coming' | 'over' | undefined;
}

type Wanted = LogOrder['tasks'][number];
type Container = ReturnType<TaskLogs['container']>;

const change = (engine: TaskLogs, taskId: string, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const go = (): void => {
      clearTimeout(timer);
      stop();
      signal.removeEventListener('abort', go);
      resolve();
    };
    const timer = setTimeout(go, LOOK_MS);
    const stop = engine.onChange((id) => {
      if (id === taskId) go();
    });
    signal.addEventListener('abort', go, { once: true });
  });

/** Undefined where there will be none, or nobody waits any more. */
const untilBegun = async (
  { engine, standing }: TaskLogSettings,
  taskId: string,
  signal: AbortSignal,
): Promise<Container> => {
  const late = performance.now() + UNTOLD_MS;
  while (!signal.aborted) {
    const container = engine.container(taskId);
    if (container && container.status !== 'created') return container;
    const stands = standing(taskId);
    if (stands === 'over' || (stands === undefined && performance.now() > late)) return container;
    await change(engine, taskId, signal);
  }
  return undefined;
};

/** Ends with the signal. Throws ViaductError where the log cannot be read. */
export async function* taskLog(
  settings: TaskLogSettings,
  order: LogOrder,
  { id, number, tail, after }: Wanted,
  signal: AbortSignal,
): AsyncGenerator<LineRecord> {
  const { engine } = settings;
  const container = order.follow ? await untilBegun(settings, id, signal) : engine.container(id);
  if (!container || signal.aborted) return;
  const { stdout, stderr, follow } = order;
  const lines = engine
    .logs(container.id, {
      ...{ stdout, stderr, follow, until: 0 },
      since: Math.max(order.since, after ? Date.parse(after.time) : 0),
      tail: after ? -1 : tail,
    })
    [Symbol.asyncIterator]();
  // Also ends a wait for the next line.
  const leave = (): void => void lines.return?.();
  signal.addEventListener('abort', leave, { once: true });
  const behind = isBehind(after);
  try {
    for (let next = await lines.next(); next.done !== true; next = await lines.next()) {
      const { stream, time, text } = next.value;
      if (behind(time)) yield { kind: stream, task: number, time, text };
    }
  } finally {
    signal.removeEventListener('abort', leave);
    leave();
  }
}
