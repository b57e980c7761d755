/** Global services: one task on each node that they may be on. */
import type { Instant } from '../../../model/swarm/kept.js';
import type { Node } from '../../../model/swarm/node.js';
import type { Service } from '../../../model/swarm/service.js';
import { satisfies } from '../constraint.js';
import type { Draft } from '../draft.js';
import { makeTask, wish } from '../make.js';
import { wantedIn } from '../slots.js';
import type { ClusterState } from '../state.js';
import { earliest } from '../times.js';
import { settleLeft, type UpdatableSlot, update } from '../update.js';
import { replaceEnded, serviceNow, usedSlots } from './slots.js';

/** Its tasks stay where they are; only of active nodes new ones come. */
export const belongs = (state: ClusterState, service: Service, node: Node | undefined): boolean =>
  node !== undefined &&
  node.availability !== 'drain' &&
  node.status.state !== 'down' &&
  satisfies(service.spec.task.placement?.constraints ?? [], {
    node,
    state: state.get('node-state', node.id),
  });

export const global = (draft: Draft, given: Service): Instant => {
  const { state } = draft;
  const active = (id: string): boolean => {
    const node = state.get('node', id);
    return node?.availability === 'active' && belongs(state, given, node);
  };
  const wakes = [replaceEnded(draft, given, ({ nodeId }) => active(nodeId))];
  const service = serviceNow(draft, given);
  const used = usedSlots(draft, service);
  const slots: UpdatableSlot[] = [];
  const paused: UpdatableSlot[] = [];
  for (const [id, { tasks }] of used)
    if (!belongs(state, service, state.get('node', String(id))))
      for (const task of wantedIn(tasks)) draft.unit(wish(task, 'shutdown'));
  for (const [id, node] of state.all('node')) {
    if (!belongs(state, service, node)) continue;
    const slot = used.get(id);
    if (node.availability !== 'active') paused.push(...(slot ? [slot] : []));
    else if (slot) slots.push(slot);
    // `ready`: if a former task of the node is still stopping, it waits for that (start.ts).
    else if (!draft.unit(['task', makeTask(draft, service, { slot: 0, nodeId: id, desired: 'ready' })]))
      break;
  }
  settleLeft(draft, service, paused);
  wakes.push(update(draft, service, slots));
  return earliest(wakes);
};
