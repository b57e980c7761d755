/** What all kinds of services have in common: tasks that end are followed by others, and slots that nobody needs are given up. */
import type { Instant } from '../../../model/swarm/kept.js';
import type { Service } from '../../../model/swarm/service.js';
import { hasEnded, type Task } from '../../../model/swarm/task.js';
import type { Draft } from '../draft.js';
import { wish } from '../make.js';
import { heldUntil, mustGo, replace, wouldRestart } from '../restart.js';
import { type Slot, type SlotKey, slotsOf, wantedIn } from '../slots.js';
import { isWanted } from '../state.js';
import { NEVER } from '../times.js';
import type { UpdatableSlot } from '../update.js';

/** The service as the pass has it by now; undefined: it is gone. */
export const serviceNow = ({ state }: Draft, { id }: Service): Service => {
  const service = state.get('service', id);
  if (!service) throw new Error(`service ${id} went in the middle of a pass`);
  return service;
};

export const slotsNow = (draft: Draft, service: Service): ReadonlyMap<SlotKey, Slot> =>
  slotsOf(service, draft.state.tasksOf(service.id));

/** `follow`: whether a task may be followed by another in its slot. Answers when to look again. */
export const replaceEnded = (draft: Draft, service: Service, follow: (task: Task) => boolean): Instant => {
  const { state, now } = draft;
  let wake = NEVER;
  for (const slot of slotsNow(draft, service).values()) {
    for (const task of slot) {
      if (!isWanted(task) || !mustGo(state, task)) continue;
      // A job's task that has done its work is done.
      if (service.job && state.status(task).state === 'complete') continue;
      const held = heldUntil(task);
      if (held > now && hasEnded(state.status(task).state)) wake = Math.min(wake, held);
      else if (follow(task)) replace(draft, serviceNow(draft, service), slot, task);
      else draft.unit(wish(task, 'shutdown'));
    }
  }
  return wake;
};

/**
 * Slots in use: with wanted tasks, or with a last one that ended and is not to be followed. A rollback counts only the former,
 * so that it always comes to a service that is whole.
 */
export const usedSlots = (draft: Draft, service: Service): Map<SlotKey, UpdatableSlot> => {
  const { now } = draft;
  const used = new Map<SlotKey, UpdatableSlot>();
  for (const [key, history] of slotsNow(draft, service)) {
    const wanted = wantedIn(history);
    const last = history.at(-1);
    if (wanted.length > 0) used.set(key, { tasks: wanted, history });
    else if (
      last &&
      service.update?.state !== 'rollback_started' &&
      staysDown(draft, service, history, last, now)
    )
      used.set(key, { tasks: [last], history });
  }
  return used;
};

const staysDown = ({ state }: Draft, service: Service, slot: Slot, last: Task, now: Instant): boolean =>
  !wouldRestart(state, service, slot, last, now);

/** Told to vanish. */
export const giveUp = (draft: Draft, slot: Slot): void => {
  for (const task of slot) draft.unit(wish(task, 'remove'));
};
