/**
 * Which endpoint of a sandbox gives the default route of each family, and which carries the published ports. Pure.
 * Order, as Docker's: highest gw-priority, internal networks never, dual-stack first, then by network name; a swarm's ingress
 * network before all.
 */
import type { Driver } from '../../drivers/contract.js';
import { bare } from '../../model/address.js';
import type { Endpoint, PluginEndpoint } from '../../model/endpoint.js';
import type { EndpointId } from '../../model/ids.js';
import type { Family, Network } from '../../model/network.js';
import type { PortBinding } from '../../model/port.js';

export interface Member {
  readonly endpoint: Endpoint;
  readonly network: Network;
  readonly driver: Driver;
}

export interface Gateways {
  readonly gateway4: EndpointId | null;
  readonly gateway6: EndpointId | null;
}

const leadsOut = ({ network, driver, endpoint }: Member, family: Family): boolean => {
  if (network.internal) return false;
  if (endpoint.plugin) return leadsByPlugin(endpoint.plugin, family);
  const families = driver.leadsOut?.(network);
  return families === undefined || (family === 4 ? families.ipv4 : families.ipv6);
};

const DEFAULT: Readonly<Record<Family, string>> = { 4: '0.0.0.0/0', 6: '::/0' };

/** A plugin says by each endpoint whether it leads out: by a gateway, or by a default route among its static ones. */
const leadsByPlugin = ({ gateway4, gateway6, routes }: PluginEndpoint, family: Family): boolean =>
  (family === 4 ? gateway4 : gateway6) !== undefined ||
  routes.some(({ destination }) => destination === DEFAULT[family]);

const dualStack = ({ network }: Member): boolean => network.ipv4 && network.ipv6;

/** What came in by a swarm's nodes has to go back by them. */
const isIngress = ({ network }: Member): boolean => network.ingress === true;

const preference = (a: Member, b: Member): number =>
  Number(isIngress(b)) - Number(isIngress(a)) ||
  b.endpoint.gwPriority - a.endpoint.gwPriority ||
  Number(dualStack(b)) - Number(dualStack(a)) ||
  (a.network.name < b.network.name ? -1 : a.network.name > b.network.name ? 1 : 0);

const best = (members: readonly Member[], family: Family): EndpointId | null =>
  members
    .filter((m) => (family === 4 ? m.endpoint.ipv4 : m.endpoint.ipv6) !== undefined && leadsOut(m, family))
    .sort(preference)[0]?.endpoint.id ?? null;

export const gateways = (members: readonly Member[]): Gateways => ({
  gateway4: best(members, 4),
  gateway6: best(members, 6),
});

/**
 * Must the sandbox of these members have a gateway endpoint, whether it has one or not? libnetwork's rule: where a driver
 * asks for it and no other endpoint leads out, in whichever family.
 */
export const needsGateway = (members: readonly Member[]): boolean => {
  const others = members.filter(({ endpoint }) => !endpoint.gateway);
  const asks = ({ network, driver, endpoint }: Member): boolean =>
    !network.internal && driver.needsGateway?.(endpoint) === true;
  if (!others.some(asks)) return false;
  const { gateway4, gateway6 } = gateways(others);
  return gateway4 === null && gateway6 === null;
};

const isIpv6 = (address: string): boolean => address.includes(':');

/** The endpoint that carries the ports published on an address of the family. IPv6 goes to one without IPv6 by the relay. */
export const carrierOf = ({ gateway4, gateway6 }: Gateways, family: Family): EndpointId | null =>
  family === 6 ? (gateway6 ?? gateway4) : (gateway4 ?? gateway6);

/**
 * Addresses of routed networks that others are reached from by this endpoint: a container answers by its default route,
 * whichever interface a packet came in by.
 */
export const answersFor = (
  { endpoint }: Member,
  chosen: Gateways,
  members: readonly Member[],
): readonly string[] =>
  members.flatMap(({ endpoint: other, network, driver }) => {
    const opens = other.id === endpoint.id ? undefined : driver.opensPorts?.(network);
    const ipv4 = opens?.ipv4 && chosen.gateway4 === endpoint.id ? other.ipv4 : undefined;
    const ipv6 = opens?.ipv6 && chosen.gateway6 === endpoint.id ? other.ipv6 : undefined;
    return [ipv4, ipv6].flatMap((address) => (address === undefined ? [] : [bare(address)]));
  });

/** At the container's own address, whatever address of the host was named; see `PortBinding.hostPort`. */
const opened = (binding: PortBinding): PortBinding => ({
  ...binding,
  hostIp: isIpv6(binding.hostIp) ? '::' : '0.0.0.0',
  hostPort: 0,
});

/** The bindings an endpoint carries: as the way out of their family, or because its network opens ports as they are. */
export const bindingsOf = (
  { endpoint, network, driver }: Member,
  chosen: Gateways,
  bindings: readonly PortBinding[],
): readonly PortBinding[] => {
  const opens = driver.opensPorts?.(network);
  const opensIt = ({ hostIp }: PortBinding) => (isIpv6(hostIp) ? opens?.ipv6 : opens?.ipv4) === true;
  const carries = ({ hostIp }: PortBinding) => carrierOf(chosen, isIpv6(hostIp) ? 6 : 4) === endpoint.id;
  return [...bindings.filter((b) => !opensIt(b) && carries(b)), ...bindings.filter(opensIt).map(opened)];
};
