/**
 * What commands make of a container, in one table: for each state it may be in, the steps that lead where the command wants
 * it, or why not. Pure. Invariants (test/property/transitions.test.ts): each step can be done twice; what is to be is noted
 * before it is done, so that a daemon that dies between two steps finds in `settle` what to go on with; from every state,
 * also one that nobody foresaw, `force-remove` ends in absence.
 */
import { conflict, notModified, type ViaductError } from '../../errors.js';
import type { ContainerStatus } from '../../model/container.js';

/** `starting`: a start is under way; the record still says what was before. */
export type Phase = ContainerStatus | 'starting';

export type Command = 'start' | 'stop' | 'kill' | 'restart' | 'pause' | 'unpause' | 'remove' | 'force-remove';

export type Step =
  /** the start under way is waited for, and its end looked at anew */
  | 'wait-turn'
  /** the start under way is ended: its OCI runtime is killed */
  | 'give-up-start'
  | 'cancel-restart'
  /** the user ended it: `unless-stopped` and `on-failure` leave it so */
  | 'note-stopped'
  | 'note-paused'
  | 'note-running'
  | 'note-exited'
  | 'freeze'
  | 'thaw'
  /** the stop signal, then SIGKILL; waited for until the end is recorded */
  | 'end'
  /** the same, and no restart policy answers it */
  | 'end-staying'
  /** the signal of `docker kill` */
  | 'signal'
  /** SIGKILL; whatever is left of it is taken away, whether it reported its end or not */
  | 'kill-surely'
  | 'launch'
  /** record and files go */
  | 'erase';

/** `finish`: its end is recorded and what it held is released. */
export type Settlement = Extract<Step, 'freeze' | 'thaw' | 'erase'> | 'finish';

type Refusal = (id: string, name: string) => ViaductError;
export type Answer = readonly Step[] | Refusal;

const notRunning: Refusal = (id) => conflict(`container ${id} is not running`);
const notStopped: Refusal = () => notModified('container already stopped');
const restarting: Refusal = (id) =>
  conflict(`Container ${id} is restarting, wait until the container is running`);
const marked: Refusal = () => conflict('container is marked for removal and cannot be started');
const keeps =
  (state: string): Refusal =>
  (_, name) =>
    conflict(
      `cannot remove container "/${name}": container is ${state}: stop the container before removing or force remove`,
    );
const inProgress: Refusal = (_, name) => conflict(`removal of container ${name} is already in progress`);

/** Of one that has no process and is nobody's business. */
const atRest = {
  start: ['launch'],
  stop: notStopped,
  kill: notRunning,
  restart: ['launch'],
  pause: notRunning,
  unpause: (id) => conflict(`Container ${id} is not paused`),
  remove: ['erase'],
  'force-remove': ['erase'],
} as const satisfies Record<Command, Answer>;

export const TRANSITIONS: Readonly<Record<Phase, Readonly<Record<Command, Answer>>>> = {
  created: atRest,
  exited: atRest,
  dead: atRest,
  starting: {
    start: ['wait-turn'],
    stop: ['wait-turn'],
    kill: ['wait-turn'],
    restart: ['wait-turn'],
    pause: ['wait-turn'],
    unpause: ['wait-turn'],
    remove: keeps('starting'),
    'force-remove': ['give-up-start', 'wait-turn'],
  },
  running: {
    start: () => notModified('container already started'),
    stop: ['note-stopped', 'end'],
    kill: ['signal'],
    restart: ['end-staying', 'launch'],
    pause: ['note-paused', 'freeze'],
    unpause: (id) => conflict(`Container ${id} is not paused`),
    remove: keeps('running'),
    'force-remove': ['kill-surely', 'erase'],
  },
  paused: {
    start: () => conflict('cannot start a paused container, try unpause instead'),
    stop: ['note-stopped', 'note-running', 'thaw', 'end'],
    // A signal that is not to end it waits for it, as in Docker; `signal` of one that is thaws first.
    kill: ['signal'],
    restart: ['note-running', 'thaw', 'end-staying', 'launch'],
    pause: (id) => conflict(`Container ${id} is already paused`),
    unpause: ['note-running', 'thaw'],
    remove: (_, name) =>
      conflict(`cannot remove container "/${name}": container is paused and must be unpaused first`),
    'force-remove': ['note-running', 'thaw', 'kill-surely', 'erase'],
  },
  restarting: {
    start: ['cancel-restart', 'launch'],
    stop: ['cancel-restart', 'note-stopped', 'note-exited'],
    kill: ['cancel-restart', 'note-stopped', 'note-exited'],
    restart: ['cancel-restart', 'launch'],
    pause: restarting,
    unpause: (id) => conflict(`Container ${id} is not paused`),
    remove: keeps('restarting'),
    'force-remove': ['cancel-restart', 'erase'],
  },
  removing: {
    start: marked,
    stop: notStopped,
    kill: notRunning,
    restart: marked,
    pause: notRunning,
    unpause: (id) => conflict(`Container ${id} is not paused`),
    remove: inProgress,
    // One that somebody is at is waited for; one that failed half-way is gone on with.
    'force-remove': ['erase'],
  },
};

/** What of a container is there when the daemon starts. */
export type Found = 'nothing' | 'running' | 'frozen' | 'ended';

/**
 * From what is recorded and what is there to a state that commands know; before anything else. `holds`: it has a sandbox, so
 * it ran, or a start of it was under way. `leaves`: `--rm`.
 */
export const settle = (
  status: ContainerStatus,
  found: Found,
  { holds, leaves }: { readonly holds: boolean; readonly leaves: boolean },
): readonly Settlement[] => {
  const alive = found === 'running' || found === 'frozen';
  if (status === 'removing') return ['erase'];
  if (status === 'running' && alive) return found === 'frozen' ? ['thaw'] : [];
  if (status === 'paused' && alive) return found === 'frozen' ? [] : ['freeze'];
  if (status === 'running' || status === 'paused' || holds) return ['finish'];
  // Whose end was recorded, and whose removal was not begun.
  return leaves && status !== 'restarting' ? ['erase'] : [];
};
