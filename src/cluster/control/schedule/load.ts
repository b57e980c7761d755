/** How busy nodes are: counted from their tasks when those have changed, and carried on while tasks are placed. */
import type { Node, NodeState } from '../../../model/swarm/node.js';
import type { Resources, SpecVersion } from '../../../model/swarm/service.js';
import { isAfter, type Task } from '../../../model/swarm/task.js';
import { specOf } from '../restart.js';
import { isOver } from '../slots.js';
import { type ClusterState, isWanted } from '../state.js';

export interface Load {
  readonly node: Node;
  readonly state: NodeState | undefined;
  /** wanted tasks that were given to it */
  tasks: number;
  readonly byService: Map<string, number>;
  /** reserved, also by tasks that are still stopping */
  memory: number;
  cpus: number;
  /** `tcp/8080`: published by the node itself */
  readonly hostPorts: Set<string>;
}

/** Of which no reservations were made. */
const NO_RESOURCES: Resources = { nanoCpus: 0, memoryBytes: 0, generic: [] };

export const reservedBy = (spec: SpecVersion | undefined): Resources =>
  spec?.task.resources?.reservations ?? NO_RESOURCES;

export const hostPortsOf = (spec: SpecVersion | undefined): readonly string[] =>
  (spec?.endpoint?.ports ?? [])
    .filter(({ mode, publishedPort }) => mode === 'host' && publishedPort !== 0)
    .map(({ protocol, publishedPort }) => `${protocol}/${publishedPort}`);

/** One more task on the node. */
export const place = (load: Load, task: Task, spec: SpecVersion | undefined): void => {
  const { memoryBytes, nanoCpus } = reservedBy(spec);
  load.memory += memoryBytes;
  load.cpus += nanoCpus;
  for (const port of hostPortsOf(spec)) load.hostPorts.add(port);
  if (!isWanted(task)) return;
  load.tasks += 1;
  load.byService.set(task.serviceId, (load.byService.get(task.serviceId) ?? 0) + 1);
};

/** It was given to the node, and uses it until it is over. */
const uses = (state: ClusterState, task: Task): boolean =>
  !isAfter('assigned', task.status.state) && !isOver(state, task);

const count = (state: ClusterState, node: Node): Load => {
  const load: Load = {
    node,
    state: state.get('node-state', node.id),
    tasks: 0,
    byService: new Map(),
    memory: 0,
    cpus: 0,
    hostPorts: new Set(),
  };
  for (const task of state.tasksOn(node.id).tasks.values())
    if (uses(state, task)) place(load, task, specOf(state, task));
  return load;
};

/** Loads by node, as far as nothing has changed since they were counted. */
export class Loads {
  readonly #known = new Map<string, { readonly revision: number; readonly load: Load }>();

  of(state: ClusterState, node: Node): Load {
    const { revision } = state.tasksOn(node.id);
    const known = this.#known.get(node.id);
    if (known?.revision === revision && known.load.node === node) return known.load;
    const load = count(state, node);
    this.#known.set(node.id, { revision, load });
    return load;
  }

  /** The task was placed there: the load was carried on, and is right for the node's present revision. */
  carriedOn(state: ClusterState, load: Load): void {
    this.#known.set(load.node.id, { revision: state.tasksOn(load.node.id).revision, load });
  }

  forget(state: ClusterState): void {
    for (const id of this.#known.keys()) if (!state.get('node', id)) this.#known.delete(id);
  }
}
