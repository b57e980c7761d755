/**
 * The driver of every network whose driver is a plugin: the plugin makes the link, we move it into the sandbox, name it,
 * and give it addresses and routes, all from what the plugin answered when the endpoint was made. Pure.
 */
import { defined } from '../defined.js';
import { familyOf, formatPrefix, masked, parsePrefix } from '../model/address.js';
import type { Endpoint, PluginEndpoint } from '../model/endpoint.js';
import type { MovedLink, RouteObject } from '../plan/objects.js';
import type { Driver, EndpointView } from './contract.js';
import { sandboxEnd } from './sandbox-end.js';

/** Of the plugin's link nothing is known; only whether it is large enough for IPv6 matters. */
const MTU = 1500;

const link = ({ sandbox, endpoint }: EndpointView, source: string): MovedLink => ({
  kind: 'link',
  type: 'moved',
  ns: sandbox.netns,
  name: endpoint.ifname,
  source,
  mac: endpoint.mac,
  mtu: 0,
  up: true,
});

const DEFAULTS: readonly string[] = ['0.0.0.0/0', '::/0'];

/** A default route among the static ones is the way out, too: a gateway, or on-link where no next hop is named. */
const routerOf =
  ({ gateway4, gateway6, routes }: PluginEndpoint) =>
  (family: 4 | 6): string | undefined => {
    const gateway = family === 4 ? gateway4 : gateway6;
    const route = routes.find(({ destination }) => destination === DEFAULTS[family === 4 ? 0 : 1]);
    return gateway ?? (route && (route.via ?? 'on-link'));
  };

/** The kernel makes the route to an address's own subnet. */
const isConnected = ({ ipv4, ipv6 }: Endpoint, { destination, via }: { destination: string; via?: string }) =>
  via === undefined &&
  [ipv4, ipv6].some((address) => {
    const prefix = address === undefined ? undefined : parsePrefix(address);
    return prefix !== undefined && formatPrefix(masked(prefix)) === destination;
  });

const staticRoutes = (
  { sandbox, endpoint }: EndpointView,
  { routes }: PluginEndpoint,
): readonly RouteObject[] =>
  routes
    .filter((route) => !DEFAULTS.includes(route.destination) && !isConnected(endpoint, route))
    .map(({ destination, via }) => ({
      kind: 'route',
      ns: sandbox.netns,
      family: familyOf(destination),
      destination,
      link: endpoint.ifname,
      ...defined({ via }),
    }));

export const plugin: Driver = {
  name: 'plugin',
  scope: 'local',
  capabilities: { interfaces: true, hostEnd: false, mac: true, ports: false, addresses: true },
  gateways: () => ({ ipv4: true, ipv6: true }),
  validate() {}, // the plugin judges
  needsGateway: ({ plugin: answered }) => answered?.disableGateway !== true,
  network: () => [],
  endpoint(view) {
    const { plugin: answered } = view.endpoint;
    if (answered?.source === undefined) return [];
    return [
      link(view, answered.source),
      ...sandboxEnd(view, { mtu: MTU, router: routerOf(answered) }),
      ...staticRoutes(view, answered),
    ];
  },
};
