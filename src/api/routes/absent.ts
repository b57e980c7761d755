/**
 * Routes of what is not here (swarm, managed plugins, …), refused as moby refuses them on a node without swarm, or in
 * words that help.
 */
import { invalid, notFound, notImplemented, unavailable } from '../../errors.js';
import { param } from '../http/exchange.js';
import { answers } from '../http/reply.js';
import { type Method, type Route, route } from '../http/router.js';

const noManager = (): never => {
  throw unavailable(
    'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.',
  );
};

const notHere = (what: string) => (): never => {
  throw notImplemented(`${what} is not supported by this daemon`);
};

const objects = ['services', 'nodes', 'tasks', 'secrets', 'configs'];
const methods: readonly Method[] = ['GET', 'POST', 'DELETE'];

const SWARM_ROUTES: readonly Route[] = [
  route('GET', '/swarm', noManager),
  route('GET', '/swarm/unlockkey', noManager),
  route('POST', '/swarm/init', notHere('swarm mode')),
  route('POST', '/swarm/join', notHere('swarm mode')),
  route('POST', '/swarm/leave', () => {
    throw unavailable('This node is not part of a swarm');
  }),
  route('POST', '/swarm/update', noManager),
  route('POST', '/swarm/unlock', noManager),
  ...objects.flatMap((name) => [
    route('GET', `/${name}`, noManager),
    ...methods.map((method) => route(method, `/${name}/:id`, noManager)),
  ]),
];

const PLUGIN_ROUTES: readonly Route[] = [
  answers<readonly []>('GET', '/plugins', () => []),
  route('GET', '/plugins/privileges', notHere('installing plugins')),
  route('GET', '/plugins/:name/json', (exchange) => {
    throw notFound(`plugin "${param(exchange, 'name').slice(0, 200)}" not found`);
  }),
  route('POST', '/plugins/:name', notHere('installing plugins')),
  route('DELETE', '/plugins/:name', (exchange) => {
    throw notFound(`plugin "${param(exchange, 'name').slice(0, 200)}" not found`);
  }),
];

export const ABSENT_ROUTES: readonly Route[] = [
  ...SWARM_ROUTES,
  ...PLUGIN_ROUTES,
  route('GET', '/distribution/:name/json', notHere('reading manifests of registries')),
  route('POST', '/auth', notHere('checking credentials of registries')),
  route('GET', '/containers/:name/attach/ws', () => {
    throw invalid('attaching by websocket is not supported: use POST /containers/{id}/attach');
  }),
];
