/**
 * Routes of what is not here (services, managed plugins, …), refused as moby refuses them on a node that is no manager, or in
 * words that help.
 */
import { invalid, notFound, notImplemented } from '../../errors.js';
import { type Exchange, param } from '../http/exchange.js';
import { answers } from '../http/reply.js';
import { type Method, type Route, route } from '../http/router.js';

const notHere = (what: string) => (): never => {
  throw notImplemented(`${what} is not supported by this daemon`);
};

const objects = ['services', 'tasks', 'secrets', 'configs'];
const methods: readonly Method[] = ['GET', 'POST', 'DELETE'];

/** What a manager would answer, and this version cannot yet. */
const noServices = (exchange: Exchange): never => {
  exchange.swarm.manager();
  throw notImplemented('services, secrets and configs are not supported by this version');
};

const SERVICE_ROUTES: readonly Route[] = objects.flatMap((name) => [
  route('GET', `/${name}`, noServices),
  ...methods.map((method) => route(method, `/${name}/:id`, noServices)),
]);

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
  ...SERVICE_ROUTES,
  ...PLUGIN_ROUTES,
  route('GET', '/distribution/:name/json', notHere('reading manifests of registries')),
  route('POST', '/auth', notHere('checking credentials of registries')),
  route('GET', '/containers/:name/attach/ws', () => {
    throw invalid('attaching by websocket is not supported: use POST /containers/{id}/attach');
  }),
];
