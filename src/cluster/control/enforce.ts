/** Tasks leave a node that is no longer fit for them: its labels changed, or it has less memory or fewer processors than it had. */
import type { Instant } from '../../model/swarm/kept.js';
import type { Node } from '../../model/swarm/node.js';
import { hasEnded, isAfter, type Task } from '../../model/swarm/task.js';
import { satisfies } from './constraint.js';
import type { Draft } from './draft.js';
import { specOf } from './restart.js';
import { byAgeOf } from './slots.js';
import { type ClusterState, isWanted } from './state.js';
import { NEVER } from './times.js';

const isThere = (state: ClusterState, task: Task): boolean =>
  isWanted(task) && !isAfter('assigned', task.status.state) && !hasEnded(state.status(task).state);

/** Oldest first: those that came last are the first to go. */
const misplaced = (state: ClusterState, node: Node): readonly Task[] => {
  const facts = { node, state: state.get('node-state', node.id) };
  let memory = facts.state?.description.memoryBytes ?? 0;
  let cpus = facts.state?.description.nanoCpus ?? 0;
  const tasks = byAgeOf(state.tasksOn(node.id).tasks.values()).filter((task) => isThere(state, task));
  return tasks.filter((task) => {
    const spec = specOf(state, task)?.task;
    if (!satisfies(spec?.placement?.constraints ?? [], facts)) return true;
    const wanted = spec?.resources?.reservations;
    if (!wanted) return false;
    if (wanted.memoryBytes > memory || wanted.nanoCpus > cpus) return true;
    memory -= wanted.memoryBytes;
    cpus -= wanted.nanoCpus;
    return false;
  });
};

/** Answers when to look again. */
export const enforce = (draft: Draft, node: Node): Instant => {
  if (node.availability !== 'active') return NEVER;
  const status = {
    state: 'rejected',
    message: 'task rejected by constraint enforcer',
    err: 'assigned node no longer meets constraints',
    at: draft.now,
  } as const;
  for (const task of misplaced(draft.state, node)) draft.unit(['task', { ...task, status }]);
  return NEVER;
};
