/** What one node is to have, and no more: its tasks, and the secrets, configs and networks that those need. */
import { hasEnded, isAfter, type Task } from '../../model/swarm/task.js';
import { specOf } from './restart.js';
import { isOver } from './slots.js';
import { type ClusterState, isWanted } from './state.js';

export interface Assignment {
  /** also those that are to stop, until the node has said that they did */
  readonly tasks: readonly Task[];
  /** ids */
  readonly secrets: ReadonlySet<string>;
  readonly configs: ReadonlySet<string>;
  readonly networks: ReadonlySet<string>;
}

export const assignmentOf = (state: ClusterState, nodeId: string): Assignment => {
  const tasks = [...state.tasksOn(nodeId).tasks.values()].filter(
    (task) => !isAfter('assigned', task.status.state) && !isOver(state, task),
  );
  const secrets = new Set<string>();
  const configs = new Set<string>();
  const networks = new Set<string>();
  for (const task of tasks) {
    for (const { networkId } of task.networks) networks.add(networkId);
    if (!isWanted(task) || hasEnded(state.status(task).state)) continue;
    const spec = specOf(state, task)?.task;
    for (const { id } of spec?.secrets ?? []) secrets.add(id);
    for (const { id } of spec?.configs ?? []) configs.add(id);
  }
  return { tasks, secrets, configs, networks };
};
