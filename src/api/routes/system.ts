/** Routes about the daemon itself: `/_ping`, `/version`, `/info`, `/auth`. */

import { readHostFacts } from '../host/facts.js';
import type { Exchange } from '../http/exchange.js';
import { answers, sendEmpty } from '../http/reply.js';
import { route } from '../http/router.js';
import { presentSwarm, swarmHeader } from '../present/swarm.js';
import { type DaemonFacts, presentDropped, presentInfo, presentVersion } from '../present/system.js';
import type { Answer } from '../schema/answer.js';

const ping = (exchange: Exchange): void => {
  const { response, request } = exchange;
  response.setHeader('Builder-Version', '1');
  response.setHeader('Swarm', swarmHeader(exchange.swarm.status()));
  response.setHeader('Cache-Control', 'no-cache, no-store, must-revalidate');
  response.setHeader('Pragma', 'no-cache');
  response.setHeader('Content-Type', 'text/plain; charset=utf-8');
  const body = request.method === 'HEAD' ? '' : 'OK';
  response.setHeader('Content-Length', body.length);
  response.end(body);
};

const daemonFacts = (exchange: Exchange): DaemonFacts => {
  const { engine } = exchange;
  return {
    id: engine.id,
    release: exchange.release,
    config: engine.config,
    runtime: engine.runtime,
    containers: engine.containers.list().map((container) => container.state.status),
    images: engine.images.list().length,
    networkDrivers: engine.networkDrivers(),
    eventListeners: 0,
    warnings: engine.warnings(),
    swarm: presentSwarm(exchange.swarm.status()),
  };
};

export const SYSTEM_ROUTES = [
  route('GET', '/_ping', ping),
  route('HEAD', '/_ping', ping),
  answers<Answer<'SystemVersion'>>('GET', '/version', (exchange) =>
    presentVersion(readHostFacts(), daemonFacts(exchange), process.versions.node),
  ),
  answers<Answer<'SystemInfo'>>('GET', '/info', (exchange) =>
    presentInfo(readHostFacts(), daemonFacts(exchange), exchange.minor),
  ),
  answers<ReturnType<typeof presentDropped>>('GET', '/viaduct/dropped', (exchange) =>
    presentDropped(exchange.engine.dropped()),
  ),
  route('OPTIONS', '/:any', (exchange) => sendEmpty(exchange, 200)),
];
