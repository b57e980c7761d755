/**
 * Removes records that nobody needs any more: addresses of tasks that are over, tasks beyond the history that is kept, specs that no task
 * is made by, and whatever belongs to something that is gone. Each in one transaction with the record that it hangs on, so
 * nothing is left behind and nothing is given to others too early.
 */
import { keyOf, type SwarmRecords } from '../../model/swarm/records.js';
import type { Service } from '../../model/swarm/service.js';
import type { Task } from '../../model/swarm/task.js';
import { givenBackTo } from './allocate/fixed.js';
import { restarting } from './defaults.js';
import { type Draft, type Edit, LARGEST_UNIT } from './draft.js';
import { wish } from './make.js';
import { byAgeOf, isOver, slotsOf } from './slots.js';
import { type ClusterState, isWanted } from './state.js';

const DEFAULT_HISTORY = 5;

const remove = <K extends 'ip' | 'port' | 'name' | 'vni' | 'number'>(
  state: ClusterState,
  kind: K,
  id: string,
): readonly Edit[] => {
  const record: SwarmRecords[K] | undefined = state.get(kind, id);
  return record ? [[kind, record, 'remove'] as Edit] : []; // the kind's own record
};

const CLAIM = /^(ip|port|name|vni|number)\/(.*)$/;

/** What the record with this key has is nobody's any more. */
const release = (state: ClusterState, owner: string): readonly Edit[] =>
  state.owned(owner).flatMap((key) => {
    const [, kind, id] = CLAIM.exec(key) ?? [];
    return kind === undefined || id === undefined ? [] : remove(state, kind as 'ip', id); // the pattern has the kinds
  });

/** What a task that is over has: nobody's any more, but what its service's user chose. */
const releaseTask = (state: ClusterState, task: Task): readonly Edit[] => {
  const service = state.get('service', task.serviceId);
  return release(state, keyOf('task', task.id)).map((edit) => {
    const [kind, record] = edit;
    return (service && kind === 'ip' && givenBackTo(service, record)) || edit;
  });
};

/** With its addresses, as far as one transaction holds them: the rest first, and the task then. */
const vanish = (draft: Draft, task: Task): boolean => {
  const { state } = draft;
  const report = state.report(task);
  const addresses = releaseTask(state, task);
  if (addresses.length > LARGEST_UNIT - 2) return draft.unit(...addresses.slice(0, LARGEST_UNIT)) && false;
  return draft.unit(
    ['task', task, 'remove'],
    ...(report ? [['task-status', report, 'remove'] as const] : []),
    ...addresses,
  );
};

/** Of one slot; the tasks that run are among them. */
const historyLimit = (state: ClusterState, service: Service): number => {
  const { maxAttempts } = restarting(service.spec.task);
  const limit = state.get('cluster', '')?.spec.historyLimit ?? DEFAULT_HISTORY;
  // As far back as the restart policy counts; and the last task says that its slot is used.
  return limit < 0 ? Number.POSITIVE_INFINITY : Math.max(1, limit, maxAttempts > 0 ? maxAttempts + 1 : 0);
};

/** Oldest first, the last one never. */
const trimHistory = (draft: Draft, service: Service): void => {
  const { state } = draft;
  const limit = historyLimit(state, service);
  for (const slot of slotsOf(service, state.tasksOf(service.id)).values()) {
    let spare = slot.length - limit;
    for (const task of slot.slice(0, -1)) {
      if (spare <= 0) break;
      if (isWanted(task) || !isOver(state, task)) continue;
      if (!vanish(draft, task)) return;
      spare -= 1;
    }
  }
};

/** Specs of a service that neither it nor a task of it names. */
const trimSpecs = (draft: Draft, id: string): void => {
  const { state } = draft;
  const service = state.get('service', id);
  const used = new Set([service?.specVersion, service?.previous?.specVersion]);
  for (const { spec } of state.tasksOf(id).tasks.values()) used.add(spec);
  for (const version of [...state.specVersions(id)].sort((a, b) => a - b)) {
    const spec = used.has(version) ? undefined : state.get('service-spec', `${id}/${version}`);
    if (spec) draft.unit(['service-spec', spec, 'remove']);
  }
};

/** Of one service, which may be gone. */
export const reapService = (draft: Draft, id: string): void => {
  const { state } = draft;
  const service = state.get('service', id);
  for (const task of byAgeOf(state.tasksOf(id).tasks.values())) {
    const told = service || task.desired === 'remove' ? task : { ...task, desired: 'remove' as const };
    if (told !== task && !draft.unit(wish(task, 'remove'))) return;
    if (!isOver(state, told)) continue;
    if (told.desired === 'remove') vanish(draft, state.get('task', task.id) ?? told);
    else {
      const edits = releaseTask(state, task);
      if (edits.length > 0) draft.unit(...edits.slice(0, LARGEST_UNIT));
    }
  }
  if (service) trimHistory(draft, service);
  trimSpecs(draft, id);
};

/** What hangs on nodes, services, networks or containers that are gone. */
export const reapRest = (draft: Draft): void => {
  const { state } = draft;
  for (const id of [...state.specOwners].sort()) if (!state.get('service', id)) trimSpecs(draft, id);
  for (const owner of [...state.missingOwners].sort())
    for (const edit of release(state, owner)) draft.unit(edit);
  for (const record of state.all('node-state').values())
    if (!state.get('node', record.id)) draft.unit(['node-state', record, 'remove']);
  for (const attachment of state.all('attach').values())
    if (!state.get('node', attachment.nodeId))
      draft.unit(['attach', attachment, 'remove'], ...release(state, keyOf('attach', attachment.id)));
};
