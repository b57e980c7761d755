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
import { makeTask, wish } from './make.js';
import { isOfUpdate } from './restart.js';
import { type Slot, slotsOf, wantedIn } from './slots.js';
import type { ClusterState } from './state.js';
import { earliest, latest, NEVER } from './times.js';

/** The spec version that the update leaves. */
const fromOf = ({ update, previous }: Service): number => update?.from ?? previous?.specVersion ?? 0;

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
      update: {
        state: 'updating',
        message: 'update in progress',
        startedAt: now,
        from: fromOf(service),
        slots,
        failures: 0,
      },
    };
  return update.slots === 0 && isUnderWay(service) ? { ...service, update: { ...update, slots } } : undefined;
};

const end = (tasks: Slot): readonly Edit[] => tasks.map((task) => wish(task, 'shutdown'));

/** Where two have come up one is enough: the one that is as it should be, and it needs no other at all. */
const thin = (draft: Draft, { tasks, clean }: Work): boolean => {
  const isUp = (task: Task): boolean => has(draft.state, task) === 'come-up';
  const up = clean.find(isUp);
  const spare = up ? tasks.filter((task) => task !== up) : tasks.filter(isUp).slice(0, -1);
  draft.unit(...end(spare));
  return up !== undefined;
};

/** One of two wanted tasks is as it should be, and is still to come. Answers how many places among those at work that takes. */
const settle = (
  draft: Draft,
  service: Service,
  { tasks, clean }: Work,
  how: Updating,
  places: number,
): number => {
  const stays = clean.at(-1);
  const others = tasks.filter((task) => task !== stays);
  if (!stays || others.length === 0) return 0;
  // The old one serves until the new one, or the one that follows it if that failed, has come up.
  if (how.startFirst) draft.unit(...end(others.filter((task) => clean.includes(task))));
  else if (places > 0) {
    draft.unit(['task', { ...stays, updating: fromOf(service) }], ...end(others));
    return 1;
  }
  return 0;
};

/**
 * Those that end when the slot's new task is made: all where they are to be stopped first, else all but the one that serves. A slot
 * never has more than two, however quickly one update follows another.
 */
const endsNow = (state: ClusterState, tasks: Slot, startFirst: boolean): Slot => {
  const wanted = wantedIn(tasks);
  if (!startFirst) return wanted;
  const serves = wanted.findLast((task) => has(state, task) === 'come-up') ?? wanted[0];
  return wanted.filter((task) => task !== serves);
};

/** Makes the new task of a slot. Answers false when this pass can do no more. */
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
    desired: 'ready',
    updating: fromOf(service),
  });
  const ends = endsNow(draft.state, tasks, startFirst);
  return draft.unit(['task', next], ...end(ends));
};

/** Where nothing new may be made, an update that started the new one first still leaves only one: no slot keeps two that have come up. */
export const settleLeft = (draft: Draft, service: Service, slots: readonly UpdatableSlot[]): void => {
  for (const slot of workOn(draft.state, service, slots)) thin(draft, slot);
};

/** One step of the update of a service, if it needs one. Answers when to look again. */
export const update = (draft: Draft, service: Service, slots: readonly UpdatableSlot[]): Instant => {
  const { state, now } = draft;
  // Nothing that runs is stopped for something that cannot start.
  if (!isAllocated(service)) return NEVER;
  const how = updating(service);
  const work = workOn(state, service, slots);
  const left = work.filter((slot) => !thin(draft, slot));
  if (service.update?.state === 'paused' || service.update?.state === 'rollback_paused') return NEVER;
  if (work.length === 0) return complete(draft, service, slots, how);
  const changed = begun(draft, service, work.length);
  if (changed && !draft.unit(['service', changed])) return now;
  return bringAll(draft, changed ?? service, left, how);
};

const bringAll = (draft: Draft, service: Service, work: readonly Work[], how: Updating): Instant => {
  const { state, now } = draft;
  // Also where nothing is updated now: on a node that was paused meanwhile.
  const busy = [...slotsOf(service, state.tasksOf(service.id)).values()]
    .map((slot) => busyUntil(state, service, slot, how.delay))
    .filter((until) => until > now);
  let places = how.parallelism - busy.length;
  for (const slot of work) {
    if (slot.clean.length > 0) places -= settle(draft, service, slot, how, places);
    else if (busyUntil(state, service, slot.history, how.delay) <= now && places > 0) {
      if (!bring(draft, service, slot, how)) return now;
      places -= 1;
    }
  }
  return earliest(busy);
};
