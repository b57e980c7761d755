/**
 * What is to be done about one task, as a function of what is wanted, what there is and what was said last. Pure. A task goes from
 * one state to the next and never back; each step is taken again if the daemon ends in it.
 */
import type { DesiredState, TaskState } from '../../model/swarm/task.js';
import { hasEnded, isAfter } from '../../model/swarm/task.js';
import type { TaskContainer } from './contract.js';

/** What the node says of a task: a state, and words in swarmkit's form. */
export interface Said {
  readonly state: TaskState;
  readonly message: string;
  readonly err: string;
}

export type Step =
  | { readonly do: 'say'; readonly said: Said }
  | { readonly do: 'make' | 'start' | 'stop' | 'remove' | 'rest' };

const MESSAGES: Partial<Record<TaskState, string>> = {
  accepted: 'accepted',
  preparing: 'preparing',
  ready: 'prepared',
  starting: 'starting',
  running: 'started',
  complete: 'finished',
  shutdown: 'shutdown',
};

const say = (state: TaskState, err = '', message = MESSAGES[state] ?? ''): Step => ({
  do: 'say',
  said: { state, message, err },
});

const REST: Step = { do: 'rest' };

/** A step that failed: before the container was there the task is rejected, and may be tried elsewhere. */
export const sayFailed = (before: TaskState, err: string): Step =>
  isAfter('ready', before)
    ? say('rejected', err, MESSAGES[before] ?? '')
    : say('failed', err, MESSAGES[before] ?? '');

const isOver = ({ status }: TaskContainer): boolean => ['exited', 'removing', 'dead'].includes(status);

const ending = (container: TaskContainer, last: TaskState): Step => {
  const { exitCode, error } = container;
  const cause = container.health === 'unhealthy' ? 'dockerexec: unhealthy container' : error;
  if (exitCode === 0 && container.health !== 'unhealthy') return say('complete');
  return say('failed', `task: non-zero exit (${exitCode})${cause && `: ${cause}`}`, MESSAGES[last]);
};

const stopping = (container: TaskContainer | undefined): Step => {
  if (!container) return say('shutdown');
  if (container.status === 'created') return { do: 'remove' };
  return isOver(container) ? say('shutdown') : { do: 'stop' };
};

const whileUp = ({ health }: TaskContainer, last: TaskState): Step => {
  if (health === 'unhealthy') return { do: 'stop' };
  if (last === 'running' || health === 'starting') return REST;
  return say('running');
};

const going = (desired: DesiredState, container: TaskContainer | undefined, last: TaskState): Step => {
  if (isAfter('accepted', last)) return say('accepted');
  if (isAfter('preparing', last)) return say('preparing');
  if (!container)
    return last === 'preparing' ? { do: 'make' } : say('failed', 'task: its container was removed');
  if (container.status === 'created') {
    if (isAfter('ready', last)) return say('ready');
    if (desired === 'ready') return REST;
    return last === 'ready' ? say('starting') : { do: 'start' };
  }
  if (isOver(container)) return ending(container, last);
  // A daemon that was ended in the middle of a start has not said so.
  return isAfter('starting', last) ? say('starting') : whileUp(container, last);
};

/** `last`: the state that was said last; of a task that is new here, the one that it came with. */
export const stepOf = (
  desired: DesiredState,
  container: TaskContainer | undefined,
  last: TaskState,
): Step => {
  // Who starts the container of a task that has ended has it for a moment: its addresses may be another's.
  if (hasEnded(last)) return container && container.pid !== 0 ? { do: 'stop' } : REST;
  const stops = desired === 'shutdown' || desired === 'remove';
  return stops ? stopping(container) : going(desired, container, last);
};
