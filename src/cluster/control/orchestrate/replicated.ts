/** Replicated services: slots 1 to n, each with one task. */
import type { Instant } from '../../../model/swarm/kept.js';
import type { Service } from '../../../model/swarm/service.js';
import type { Task } from '../../../model/swarm/task.js';
import type { Draft } from '../draft.js';
import { makeTask } from '../make.js';
import type { SlotKey } from '../slots.js';
import type { ClusterState } from '../state.js';
import { earliest } from '../times.js';
import { type UpdatableSlot, update } from '../update.js';
import { giveUp, replaceEnded, serviceNow, slotsNow, usedSlots } from './slots.js';

type Used = ReadonlyMap<SlotKey, UpdatableSlot>;

/** Fills the lowest numbers; false: not all in this pass. */
const grow = (draft: Draft, service: Service, used: Used, by: number): void => {
  for (let slot = 1, left = by; left > 0; slot += 1) {
    if (used.has(slot)) continue;
    // `ready`: if a former task of this number is still stopping, it waits for that (start.ts).
    if (!draft.unit(['task', makeTask(draft, service, { slot, nodeId: '', desired: 'ready' })])) return;
    left -= 1;
  }
};

const runs = (state: ClusterState, { tasks }: UpdatableSlot): boolean =>
  tasks.some((task) => state.status(task).state === 'running');

/** Slots that stay first: those that run before those that do not, so that nodes keep as many as each other. */
const byWorth = (state: ClusterState, used: Used): readonly UpdatableSlot[] => {
  const slots = [...used.values()];
  const number = ({ tasks: [task] }: UpdatableSlot): number => task?.slot ?? 0;
  const running = new Map(slots.map((slot) => [slot, runs(state, slot)]));
  slots.sort((a, b) => Number(running.get(b)) - Number(running.get(a)) || number(a) - number(b));
  const onNode = new Map<string, number>();
  const rank = new Map<UpdatableSlot, number>();
  for (const slot of slots) {
    const [task] = slot.tasks;
    // Slots without a node, or in the middle of an update, are the first to go.
    if (slot.tasks.length !== 1 || !task || task.nodeId === '') rank.set(slot, Number.MAX_SAFE_INTEGER);
    else {
      const index = (onNode.get(task.nodeId) ?? 0) + 1;
      onNode.set(task.nodeId, index);
      rank.set(slot, index);
    }
  }
  return slots.sort((a, b) => (rank.get(a) ?? 0) - (rank.get(b) ?? 0));
};

const always = (_: Task): boolean => true;

export const replicated = (draft: Draft, given: Service, replicas: number): Instant => {
  const wakes = [replaceEnded(draft, given, always)];
  const service = serviceNow(draft, given);
  const used = usedSlots(draft, service);
  const bySlot = ({ tasks: [a] }: UpdatableSlot, { tasks: [b] }: UpdatableSlot): number =>
    (a?.slot ?? 0) - (b?.slot ?? 0);
  // Which of them stay matters only where there are too many.
  const slots = used.size > replicas ? byWorth(draft.state, used) : [...used.values()];
  const kept = slots.slice(0, replicas).sort(bySlot);
  for (const { history } of slots.slice(replicas)) giveUp(draft, history);
  if (replicas > used.size) grow(draft, service, used, replicas - used.size);
  for (const [key, slot] of slotsNow(draft, service))
    if (!used.has(key) && Number(key) > replicas) giveUp(draft, slot);
  wakes.push(update(draft, service, kept));
  return earliest(wakes);
};
