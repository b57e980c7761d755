/** Tasks that are prepared are told to run, when their time has come and their slot is free. */
import type { Instant } from '../../model/swarm/kept.js';
import type { Service } from '../../model/swarm/service.js';
import type { Draft } from './draft.js';
import { toRun, wish } from './make.js';
import { allSlots, isLost, isOver } from './slots.js';
import { isWanted } from './state.js';
import { NEVER } from './times.js';

/** Answers when to look again. */
export const start = (draft: Draft, service: Service): Instant => {
  const { state, now } = draft;
  const bucket = state.tasksOf(service.id);
  if (![...bucket.tasks.values()].some(({ desired }) => desired === 'ready')) return NEVER;
  let wake = NEVER;
  for (const slot of allSlots(service, bucket).values()) {
    for (const task of slot) {
      if (task.desired !== 'ready') continue;
      const due = task.firstSeen + task.delay;
      if (due > now) wake = Math.min(wake, due);
      // What was told to stop must have stopped first: two of a slot share what the slot has, a volume or a name.
      else if (slot.every((other) => isWanted(other) || isOver(state, other) || isLost(state, other)))
        draft.unit(wish(task, toRun(service)));
    }
  }
  return wake;
};
