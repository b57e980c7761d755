/**
 * Tasks that ended, or whose node is lost or being emptied, make room for another in their slot, as far as the service's restart
 * policy goes. How often that was is counted from the tasks that are there: the slot's history is kept as long as the policy
 * looks back (reap.ts), and a new leader counts the same.
 */
import type { Instant } from '../../model/swarm/kept.js';
import type { Service, UpdateStatus } from '../../model/swarm/service.js';
import { hasEnded, type Task } from '../../model/swarm/task.js';
import { restarting, updating } from './defaults.js';
import type { Draft, Edit } from './draft.js';
import { makeTask, versionOf, wish } from './make.js';
import { isUnfit, type Slot } from './slots.js';
import { type ClusterState, isWanted } from './state.js';

export const specOf = (state: ClusterState, { serviceId, spec }: Task) =>
  state.get('service-spec', `${serviceId}/${spec}`);

/** Attempts that count against the policy: all of this spec in the slot but the first one, within the window. */
const attempts = (slot: Slot, task: Task, since: Instant): number =>
  slot
    .filter(({ spec }) => spec === task.spec)
    .slice(1)
    .filter(({ createdAt }) => createdAt >= since).length;

/** Would another one follow it, by the policy that it was made with? */
export const wouldRestart = (
  state: ClusterState,
  service: Service,
  slot: Slot,
  task: Task,
  now: Instant,
): boolean => {
  const spec = specOf(state, task);
  if (!spec) return true;
  const { condition, maxAttempts, window } = restarting(spec.task);
  if (condition === 'none') return false;
  const completed = state.status(task).state === 'complete';
  if (completed && (condition === 'on-failure' || service.job)) return false;
  if (maxAttempts === 0) return true;
  const ended = Math.min(now, state.report(task)?.seen ?? now);
  return attempts(slot, task, window === 0 ? 0 : ended - window) < maxAttempts;
};

/** Milliseconds; none where the node is being emptied: nothing was wrong with the task. */
const delayFor = (state: ClusterState, task: Task): number => {
  const spec = specOf(state, task);
  if (!spec || state.get('node', task.nodeId)?.availability === 'drain') return 0;
  return restarting(spec.task).delay;
};

/** The present update made it: not an earlier one, which was to the same spec. */
export const isOfUpdate = ({ update, specVersion }: Service, task: Task): boolean =>
  update !== undefined && task.spec === specVersion && task.updating === update.from;

/** It failed, or came to its end early, when it had just been brought by the update. */
const failsUpdate = (state: ClusterState, service: Service, task: Task): boolean => {
  if (!isOfUpdate(service, task)) return false;
  if (!hasEnded(state.status(task).state)) return false;
  const report = state.report(task);
  // Both times are of the node's clock.
  return report?.runningAt === undefined || report.at - report.runningAt <= updating(service).monitor;
};

const because = (what: string, { id }: Task): string =>
  `${what} due to failure or early termination of task ${id}`;

const paused = (update: UpdateStatus, message: string): UpdateStatus => ({
  ...update,
  state: update.state === 'rollback_started' ? 'rollback_paused' : 'paused',
  message,
});

/** The service with its former spec, which becomes the one that its tasks are brought to. */
const rolledBack = (service: Service, update: UpdateStatus, message: string): Service => {
  const { previous, ...rest } = service;
  if (!previous) return { ...service, update: paused(update, `${message}: no previous spec is available`) };
  return {
    ...rest,
    spec: previous.spec,
    specVersion: previous.specVersion,
    update: {
      ...update,
      state: 'rollback_started',
      message,
      from: service.specVersion,
      slots: 0,
      failures: 0,
    },
  };
};

/** The service with one more failure counted, and what follows from it; undefined: it does not count. */
const withFailure = (state: ClusterState, service: Service, task: Task): Service | undefined => {
  const { update } = service;
  if (!update || (update.state !== 'updating' && update.state !== 'rollback_started')) return undefined;
  const { failureAction, maxFailureRatio } = updating(service);
  if (failureAction === 'continue' || !failsUpdate(state, service, task)) return undefined;
  const counted: UpdateStatus = { ...update, failures: update.failures + 1 };
  if (counted.failures / Math.max(1, counted.slots) <= maxFailureRatio)
    return { ...service, update: counted };
  if (failureAction === 'pause')
    return { ...service, update: paused(counted, because('update paused', task)) };
  // A rollback is never rolled back.
  if (update.state === 'rollback_started')
    return { ...service, update: paused(counted, because('rollback paused', task)) };
  return rolledBack(service, counted, because('update rolled back', task));
};

/** Until when a task that failed before it was to be started holds its slot: what fails at once is not tried in circles. */
export const heldUntil = ({ desired, firstSeen, delay }: Task): Instant =>
  desired === 'ready' ? firstSeen + delay : 0;

/**
 * Ends a task, and makes the next one in its slot where there is to be one. The failure is counted with it, so it is counted
 * once. Answers false when this pass can do no more.
 */
export const replace = (draft: Draft, service: Service, slot: Slot, task: Task): boolean => {
  const { state, now } = draft;
  const counted = withFailure(state, service, task);
  const edits: Edit[] = [wish(task, 'shutdown'), ...(counted ? [['service', counted] as const] : [])];
  const { specVersion } = counted ?? service;
  if (counted && specVersion !== service.specVersion) edits.push(['service-spec', versionOf(counted, now)]);
  // Where an update has started the new one first, that one takes over.
  const followed = slot.some((other) => other !== task && isWanted(other) && other.spec === specVersion);
  if (!followed && wouldRestart(state, service, slot, task, now)) {
    const { nodeId } = service.spec.mode.kind.startsWith('global') ? task : { nodeId: '' };
    const delay = delayFor(state, task);
    const next = { slot: task.slot, nodeId, desired: 'ready', delay } as const;
    edits.push(['task', makeTask(draft, counted ?? service, next)]);
  }
  return draft.unit(...edits);
};

/** Has it come to its end, or to a place where it cannot stay? */
export const mustGo = (state: ClusterState, task: Task): boolean =>
  hasEnded(state.status(task).state) || (task.nodeId !== '' && isUnfit(state, task.nodeId));
