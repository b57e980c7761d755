/**
 * Routes below `/viaduct/v1/`: what the daemon can tell that Docker has no route for. `src/door/schema.ts` describes
 * the answers.
 */
import type { Dirty, Objects, PendingSteps, Topology } from '../../door/schema.js';
import { invalid } from '../../errors.js';
import type { Exchange } from '../http/exchange.js';
import { answers } from '../http/reply.js';

const objects = async (exchange: Exchange): Promise<Objects> => {
  const { query, engine } = exchange;
  const [container, network] = [query.get('container'), query.get('network')];
  if ((container === null) === (network === null))
    throw invalid('name what to look at: ?container=NAME or ?network=NAME');
  const { seeing } = engine;
  return container === null
    ? await seeing.objectsOfNetwork(network ?? '')
    : await seeing.objectsOfContainer(container);
};

export const SEEING_ROUTES = [
  answers('GET', '/viaduct/v1/objects', objects),
  answers<Topology>('GET', '/viaduct/v1/topology', (exchange) => exchange.engine.seeing.topology()),
  answers<PendingSteps>('GET', '/viaduct/v1/plan', (exchange) => exchange.engine.seeing.plan()),
  answers<Dirty>('GET', '/viaduct/v1/dirty', (exchange) => exchange.engine.seeing.dirty()),
];
