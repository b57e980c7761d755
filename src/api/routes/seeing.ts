/**
 * Routes below `/viaduct/v1/`: what the daemon can tell that Docker has no route for. `src/door/schema.ts` describes
 * the answers.
 */
import type { Dirty, Objects, PendingSteps, Topology } from '../../door/schema.js';
import { invalid } from '../../errors.js';
import type { Exchange } from '../http/exchange.js';
import { sendJson } from '../http/reply.js';
import { route } from '../http/router.js';

const objects = async (exchange: Exchange): Promise<void> => {
  const { query, engine } = exchange;
  const [container, network] = [query.get('container'), query.get('network')];
  if ((container === null) === (network === null))
    throw invalid('name what to look at: ?container=NAME or ?network=NAME');
  const { seeing } = engine;
  sendJson<Objects>(
    exchange,
    200,
    container === null
      ? await seeing.objectsOfNetwork(network ?? '')
      : await seeing.objectsOfContainer(container),
  );
};

export const SEEING_ROUTES = [
  route('GET', '/viaduct/v1/objects', objects),
  route('GET', '/viaduct/v1/topology', (exchange) => {
    sendJson<Topology>(exchange, 200, exchange.engine.seeing.topology());
  }),
  route('GET', '/viaduct/v1/plan', (exchange) => {
    sendJson<PendingSteps>(exchange, 200, exchange.engine.seeing.plan());
  }),
  route('GET', '/viaduct/v1/dirty', (exchange) => {
    sendJson<Dirty>(exchange, 200, exchange.engine.seeing.dirty());
  }),
];
