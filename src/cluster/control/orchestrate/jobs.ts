/** Jobs: tasks that run to their end, so many times in all, or once on each node. What a new run finds of an older one vanishes. */
import type { Instant } from '../../../model/swarm/kept.js';
import type { Service } from '../../../model/swarm/service.js';
import type { Draft } from '../draft.js';
import { makeTask, wish } from '../make.js';
import { byAgeOf, type Slot, wantedIn } from '../slots.js';
import { belongs } from './global.js';
import { replaceEnded, serviceNow, usedSlots } from './slots.js';

const endOlder = (draft: Draft, { id, job }: Service): void => {
  for (const task of byAgeOf(draft.state.tasksOf(id).tasks.values()))
    if (task.iteration !== job?.iteration && task.desired !== 'remove') draft.unit(wish(task, 'remove'));
};

const isDone = ({ state }: Draft, slot: Slot): boolean =>
  slot.some((task) => state.status(task).state === 'complete');

export const replicatedJob = (
  draft: Draft,
  given: Service,
  { maxConcurrent, totalCompletions }: { readonly maxConcurrent: number; readonly totalCompletions: number },
): Instant => {
  endOlder(draft, given);
  const wake = replaceEnded(draft, given, () => true);
  const service = serviceNow(draft, given);
  const used = usedSlots(draft, service);
  const atWork = [...used.values()].filter(
    ({ tasks }) => !isDone(draft, tasks) && wantedIn(tasks).length > 0,
  ).length;
  // A slot whose last task failed for good is used up: neither done nor tried again.
  let left = Math.min(maxConcurrent - atWork, totalCompletions - used.size);
  for (let slot = 0; left > 0 && slot < totalCompletions; slot += 1) {
    if (used.has(slot)) continue;
    if (!draft.unit(['task', makeTask(draft, service, { slot, nodeId: '', desired: 'ready' })])) break;
    left -= 1;
  }
  return wake;
};

export const globalJob = (draft: Draft, given: Service): Instant => {
  const { state } = draft;
  endOlder(draft, given);
  const wake = replaceEnded(draft, given, ({ nodeId }) => belongs(state, given, state.get('node', nodeId)));
  const service = serviceNow(draft, given);
  const used = usedSlots(draft, service);
  for (const [id, node] of state.all('node')) {
    const candidate = node.availability === 'active' && node.status.state === 'ready';
    if (!candidate || used.has(id) || !belongs(state, service, node)) continue;
    if (!draft.unit(['task', makeTask(draft, service, { slot: 0, nodeId: id, desired: 'ready' })])) break;
  }
  return wake;
};
