/**
 * Rolling updates, and rollbacks, which are the same with the former spec: slots whose tasks are not as the spec wants them are
 * brought there, so many at a time. All that an update knows of itself is in its tasks and its status, so a new leader goes on
 * where the former one stopped.
 */
import type { Instant } from '../../model/swarm/kept.js';
import type { Service, UpdateState } from '../../model/swarm/service.js';
import { hasEnded, type Task } from '../../model/swarm/task.js';
import { isAllocated } from './allocate/services.js';
import { type Updating, updating } from './defaults.js';
import { isDirty } from './dirty.js';
import type { Draft, Edit } from './draft.js';
import { makeTask, toRun, wish } from './make.js';
import { type Slot, wantedIn } from './slots.js';
import type { ClusterState } from './state.js';
import { earliest, latest, NEVER } from './times.js';

/** Of this update, or of an earlier one to the same spec, which is long over. */
const isOfUpdate = (service: Service, task: Task): boolean =>
  task.updating === true && task.spec === service.specVersion;

const has = (state: ClusterState, task: Task): 'come-up' | 'ended' | 'to-come' => {
  const { state: now } = state.status(task);
  return now === 'running' ? 'come-up' : hasEnded(now) ? 'ended' : 'to-come';
};

/** Until when what became of a task holds its slot back, and the update's end. Infinite: until it has come up. */
const settledAt = (state: ClusterState, task: Task, after: number): Instant => {
  if (has(state, task) !== 'to-come') return (state.report(task)?.seen ?? task.seen) + after;
  return task.desired === 'shutdown' ? 0 : NEVER;
};

/** Until when a slot is one of those at work. */
const busyUntil = (state: ClusterState, service: Service, slot: Slot, delay: number): Instant =>
  latest(slot.filter((task) => isOfUpdate(service, task)).map((task) => settledAt(state, task, delay)));

/** Slots as the update sees them: the tasks that are wanted, or the last one where none is and none is to follow. */
export interface UpdatableSlot {
  readonly tasks: Slot;
  readonly history: Slot;
}

interface Work extends UpdatableSlot {
  readonly clean: readonly Task[];
}

const workOn = (state: ClusterState, service: Service, slots: readonly UpdatableSlot[]): readonly Work[] =>
  slots
    .map((slot) => ({ ...slot, clean: slot.tasks.filter((task) => !isDirty(state, service, task)) }))
    .filter(({ tasks, clean }) => tasks.length > 1 || clean.length === 0);

const withState = (service: Service, state: UpdateState, message: string, now: Instant): Service => ({
  ...service,
  ...(service.update ? { update: { ...service.update, state, message, completedAt: now } } : {}),
});

const isUnderWay = ({ update }: Service): boolean =>
  update?.state === 'updating' || update?.state === 'rollback_started';

/** Says that it is done, once what it brought has been watched for long enough. Answers when to look again. */
const complete = (
  draft: Draft,
  service: Service,
  slots: readonly UpdatableSlot[],
  how: Updating,
): Instant => {
  if (!isUnderWay(service)) return NEVER;
  const { state, now } = draft;
  // A delay that is longer than the watch is waited for too.
  const watch = how.delay >= how.monitor ? how.delay + 1000 : how.monitor;
  const done = latest(slots.map(({ history }) => busyUntil(state, service, history, watch)));
  if (done > now) return done;
  const back = service.update?.state === 'rollback_started';
  draft.unit([
    'service',
    back
      ? withState(service, 'rollback_completed', 'rollback completed', now)
      : withState(service, 'completed', 'update completed', now),
  ]);
  return NEVER;
};

/** The service as one whose update has begun, and whose slots to be replaced are counted. */
const begun = ({ now }: Draft, service: Service, slots: number): Service | undefined => {
  const { update } = service;
  if (!update)
    return {
      ...service,
      update: { state: 'updating', message: 'update in progress', startedAt: now, slots, failures: 0 },
    };
  return update.slots === 0 && isUnderWay(service) ? { ...service, update: { ...update, slots } } : undefined;
};

/** Two tasks are wanted: the one that is as it should be stays. Answers false where it needs a place among those at work. */
const settle = (draft: Draft, { tasks, clean }: Work, how: Updating, places: number): boolean => {
  const { state } = draft;
  const up = clean.find((task) => has(state, task) === 'come-up');
  const stays = up ?? clean.at(-1);
  if (!stays) return true;
  const others = tasks.filter((task) => task !== stays);
  if (up) draft.unit(...others.map((task) => wish(task, 'shutdown')));
  else if (how.startFirst) {
    // A replacement of one that failed: the old one runs until it has come up.
    if (stays.desired === 'ready') return true;
    const spare = others.filter((task) => clean.includes(task));
    if (spare.length > 0) draft.unit(...spare.map((task) => wish(task, 'shutdown')));
  } else {
    if (places <= 0) return false;
    draft.unit(['task', { ...stays, updating: true }], ...others.map((task) => wish(task, 'shutdown')));
  }
  return true;
};

/** Makes the new task of a slot, and ends the old ones now where it is to be stopped first. */
const bring = (
  draft: Draft,
  service: Service,
  { tasks, history }: Work,
  { startFirst }: Updating,
): boolean => {
  const [{ slot, nodeId } = { slot: 0, nodeId: '' }] = history;
  const next = makeTask(draft, service, {
    slot,
    nodeId: service.spec.mode.kind === 'global' ? nodeId : '',
    desired: startFirst && wantedIn(tasks).length > 0 ? toRun(service) : 'ready',
    updating: true,
  });
  const ends: Edit[] = startFirst ? [] : wantedIn(tasks).map((task) => wish(task, 'shutdown'));
  return draft.unit(['task', next], ...ends);
};

/** One step of the update of a service, if it needs one. Answers when to look again. */
export const update = (draft: Draft, service: Service, slots: readonly UpdatableSlot[]): Instant => {
  const { state, now } = draft;
  if (service.update?.state === 'paused' || service.update?.state === 'rollback_paused') return NEVER;
  // Nothing that runs is stopped for something that cannot start.
  if (!isAllocated(service)) return NEVER;
  const how = updating(service);
  const work = workOn(state, service, slots);
  if (work.length === 0) return complete(draft, service, slots, how);
  const changed = begun(draft, service, work.length);
  if (changed && !draft.unit(['service', changed])) return now;
  const busy = slots
    .map(({ history }) => busyUntil(state, service, history, how.delay))
    .filter((until) => until > now);
  let places = how.parallelism - busy.length;
  for (const slot of work) {
    if (slot.clean.length > 0) {
      if (!settle(draft, slot, how, places)) continue;
      const up = slot.clean.some((task) => has(state, task) === 'come-up');
      if (!up && !how.startFirst) places -= 1;
      continue;
    }
    if (busyUntil(state, service, slot.history, how.delay) > now) continue;
    if (places <= 0) break;
    if (!bring(draft, service, slot, how)) return now;
    places -= 1;
  }
  return earliest(busy);
};
