/** Gives tasks to nodes, those of one service and spec together, as they ask the same of a node. */
import type { Instant } from '../../../model/swarm/kept.js';
import type { SpecVersion } from '../../../model/swarm/service.js';
import { isAfter, type Task } from '../../../model/swarm/task.js';
import type { Draft } from '../draft.js';
import { specOf } from '../restart.js';
import { byAgeOf } from '../slots.js';
import { type ClusterState, isWanted } from '../state.js';
import type { Turn } from '../turn.js';
import { Filters } from './filters.js';
import { type Load, type Loads, place } from './load.js';
import { Spread } from './spread.js';

/** For so long a failure counts against its node. */
const FAILURES_COUNT_FOR = 5 * 60 * 1000;

/** Nodes that one pass looks at, all groups of tasks together: what is left is for the next. */
const MOST_LOOKS = 50_000;

/** What is remembered from pass to pass. */
export interface Scheduling {
  readonly loads: Loads;
  readonly groups: Turn;
}

const assigned = (task: Task, nodeId: string, message: string, now: Instant): Task => ({
  ...task,
  nodeId,
  status: { state: 'assigned', message, err: '', at: now },
});

const refuse = (draft: Draft, task: Task, err: string): void => {
  if (task.status.err !== err)
    draft.unit(['task', { ...task, status: { ...task.status, err, at: draft.now } }]);
};

/** Whose node was settled when it was made: only whether it can take it is asked. */
const confirm = (draft: Draft, loads: Loads, task: Task, spec: SpecVersion): void => {
  const { state, now } = draft;
  const node = state.get('node', task.nodeId);
  if (!node) return;
  const load = loads.of(state, node);
  const filters = new Filters(spec, task.serviceId);
  if (!filters.allows(load)) {
    refuse(draft, task, filters.explain());
    return;
  }
  const placed = assigned(task, node.id, 'scheduler confirmed task can run on preassigned node', now);
  if (draft.unit(['task', placed])) carryOn(draft, loads, load, placed, spec);
};

const carryOn = (draft: Draft, loads: Loads, load: Load, task: Task, spec: SpecVersion): void => {
  place(load, task, spec);
  loads.carriedOn(draft.state, load);
};

/** How often tasks of the spec failed, by node. */
const failuresOf = ({ state, now }: Draft, task: Task): ReadonlyMap<string, number> => {
  const failures = new Map<string, number>();
  for (const other of state.tasksOf(task.serviceId).tasks.values()) {
    if (other.spec !== task.spec || isWanted(other)) continue;
    const { state: what } = state.status(other);
    const seen = state.report(other)?.seen ?? other.seen;
    if ((what !== 'failed' && what !== 'rejected') || now - seen >= FAILURES_COUNT_FOR) continue;
    failures.set(other.nodeId, (failures.get(other.nodeId) ?? 0) + 1);
  }
  return failures;
};

const loadsOf = function* (state: ClusterState, loads: Loads): Generator<Load> {
  for (const node of state.all('node').values()) yield loads.of(state, node);
};

/** Only labels can be spread over. */
const isLabel = (descriptor: string): boolean => /^(node|engine)\.labels\../i.test(descriptor);

const placeAll = (draft: Draft, loads: Loads, tasks: readonly Task[], spec: SpecVersion): void => {
  const { state, now } = draft;
  const [first] = tasks;
  if (!first) return;
  const filters = new Filters(spec, first.serviceId);
  const failures = failuresOf(draft, first);
  const choosing = {
    serviceId: first.serviceId,
    spread: (spec.task.placement?.spread ?? []).filter(isLabel),
    failures: ({ node }: Load) => failures.get(node.id) ?? 0,
    allows: (load: Load) => filters.allows(load),
  };
  const spread = new Spread(choosing, loadsOf(state, loads));
  for (const task of tasks) {
    if (draft.full) return;
    const found = spread.take((load) => {
      const placed = assigned(task, load.node.id, 'scheduler assigned task to node', now);
      if (draft.unit(['task', placed])) carryOn(draft, loads, load, placed, spec);
    });
    if (!found) refuse(draft, task, filters.explain());
  }
};

export const schedule = (draft: Draft, { loads, groups: turn }: Scheduling): void => {
  const { state } = draft;
  const groups = new Map<SpecVersion, Task[]>();
  for (const task of byAgeOf(state.unassigned)) {
    const spec = specOf(state, task);
    if (!spec || isAfter(state.status(task).state, 'pending')) continue;
    if (task.nodeId !== '') confirm(draft, loads, task, spec);
    else {
      const group = groups.get(spec);
      if (group) group.push(task);
      else groups.set(spec, [task]);
    }
  }
  let looks = MOST_LOOKS;
  for (const spec of turn.from([...groups.keys()].sort((a, b) => (a.id < b.id ? -1 : 1)))) {
    if (draft.full || looks <= 0) {
      draft.postpone();
      turn.leftOffAt(spec.id);
      return;
    }
    looks -= state.all('node').size;
    placeAll(draft, loads, groups.get(spec) ?? [], spec);
  }
};
