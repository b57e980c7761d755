/**
 * Routes of what is not here (managed plugins, registries, …), refused in words that help.
 */
import { invalid, notFound, notImplemented } from '../../errors.js';
import { param } from '../http/exchange.js';
import { answers } from '../http/reply.js';
import { type Route, route } from '../http/router.js';

const notHere = (what: string) => (): never => {
  throw notImplemented(`${what} is not supported by this daemon`);
};

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
  ...PLUGIN_ROUTES,
  route('POST', '/auth', notHere('checking credentials of registries')),
  route('GET', '/containers/:name/attach/ws', () => {
    throw invalid('attaching by websocket is not supported: use POST /containers/{id}/attach');
  }),
];
