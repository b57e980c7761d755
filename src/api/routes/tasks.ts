/** Tasks of services: list, inspect. */
import type { Manager, TaskView } from '../../cluster/contract.js';
import { invalid } from '../../errors.js';
import { TASK_STATES } from '../../model/swarm/task.js';
import { type Exchange, param } from '../http/exchange.js';
import { answers } from '../http/reply.js';
import type { Route } from '../http/router.js';
import { presentTask } from '../present/service.js';
import { type Filters, parseFilters } from '../read/filters.js';
import { text } from '../read/query.js';
import type { Answer } from '../schema/answer.js';

const FILTERS = ['_up-to-date', 'desired-state', 'id', 'label', 'name', 'node', 'runtime', 'service'];

/** Empty: any. */
const readDesired = (filters: Filters): ReadonlySet<string> => {
  const wanted = filters.get('desired-state').filter((state) => state !== '');
  for (const state of wanted)
    if (!TASK_STATES.some((each) => each === state.toLowerCase()))
      throw invalid(`Invalid desired-state filter: '${state.slice(0, 100)}'`);
  return new Set(wanted.map((state) => state.toLowerCase()));
};

/** Undefined where the filter is missing; throws not-found for what is not there. */
const ids = (
  filters: Filters,
  key: string,
  idOf: (reference: string) => string,
): readonly string[] | undefined => (filters.has(key) ? [...new Set(filters.get(key).map(idOf))] : undefined);

const selected =
  (manager: Manager, filters: Filters) =>
  (view: TaskView): boolean =>
    filters.prefix('id', view.task.id) &&
    filters.prefix('name', view.name) &&
    filters.labels('label', view.made?.labels ?? {}) &&
    (filters.get('_up-to-date').length === 0 || manager.isUpToDate(view.task));

const list = (exchange: Exchange): readonly Answer<'Task'>[] => {
  const filters = parseFilters(text(exchange, 'filters'), FILTERS);
  const manager = exchange.swarm.manager();
  const services = ids(filters, 'service', (reference) => manager.service(reference).id);
  const nodes = ids(filters, 'node', (reference) => manager.node(reference).id);
  const desired = readDesired(filters);
  if (filters.has('runtime') && !filters.exact('runtime', 'container') && !filters.exact('runtime', ''))
    return [];
  return manager
    .tasks(services)
    .filter(
      ({ task }) =>
        (nodes?.includes(task.nodeId) ?? true) && (desired.size === 0 || desired.has(task.desired)),
    )
    .filter(selected(manager, filters))
    .map(presentTask);
};

export const TASK_ROUTES: readonly Route[] = [
  answers<readonly Answer<'Task'>[]>('GET', '/tasks', list),
  answers<Answer<'Task'>>('GET', '/tasks/:id', (exchange) =>
    presentTask(exchange.swarm.manager().task(param(exchange, 'id'))),
  ),
];
