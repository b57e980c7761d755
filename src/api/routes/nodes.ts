/** Nodes of the cluster: list, inspect, update, remove. */
import type { NodeView } from '../../cluster/contract.js';
import { invalid } from '../../errors.js';
import { readJson } from '../http/body.js';
import { type Exchange, param } from '../http/exchange.js';
import { answers, does } from '../http/reply.js';
import { presentNode } from '../present/swarm.js';
import { type Filters, parseFilters } from '../read/filters.js';
import { flag, text, version } from '../read/query.js';
import { readNodeSpec } from '../read/swarm.js';
import type { Answer } from '../schema/answer.js';
import { currentManager } from './manager.js';

const FILTERS = ['id', 'label', 'membership', 'name', 'node.label', 'role'];

/** Values that a filter may have; empty ones count for nothing. */
const check = (filters: Filters, key: string, allowed: readonly string[]): void => {
  for (const value of filters.get(key))
    if (value !== '' && !allowed.includes(value.toLowerCase()))
      throw invalid(`Invalid ${key} filter: '${value.slice(0, 100)}'`);
};

const selected = (filters: Filters, { id, spec, description }: NodeView): boolean =>
  filters.prefix('id', id) &&
  filters.prefix('name', description?.hostname ?? '') &&
  filters.labels('label', description?.labels ?? {}) &&
  filters.labels('node.label', spec.labels) &&
  filters.exact('role', spec.role) &&
  // Everybody who has joined was accepted: nothing is pending here.
  filters.exact('membership', 'accepted');

const list = (exchange: Exchange): readonly Answer<'Node'>[] => {
  const filters = parseFilters(text(exchange, 'filters'), FILTERS);
  check(filters, 'role', ['worker', 'manager']);
  check(filters, 'membership', ['pending', 'accepted']);
  const nodes = exchange.swarm.manager().nodes();
  return nodes.filter((node) => selected(filters, node)).map(presentNode);
};

const inspect = async (exchange: Exchange): Promise<Answer<'Node'>> =>
  presentNode((await currentManager(exchange)).node(param(exchange, 'id')));

const update = async (exchange: Exchange): Promise<void> => {
  const spec = readNodeSpec(await readJson(exchange));
  const from = version(exchange, 'node');
  const manager = await currentManager(exchange);
  await manager.updateNode(param(exchange, 'id'), from, spec);
};

export const NODE_ROUTES = [
  answers('GET', '/nodes', list),
  answers<Answer<'Node'>>('GET', '/nodes/:id', inspect),
  does('POST', '/nodes/:id/update', update, 200),
  does(
    'DELETE',
    '/nodes/:id',
    async (exchange) =>
      (await currentManager(exchange)).removeNode(param(exchange, 'id'), flag(exchange, 'force')),
    200,
  ),
];
