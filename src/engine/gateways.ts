/**
 * Which endpoint of a sandbox gives the default route of each family, and which carries the published ports. Pure.
 * Order, as Docker's: highest gw-priority, internal networks never, dual-stack first, then by network name.
 */
import type { Driver } from '../drivers/contract.js';
import type { Endpoint, RemoteEndpoint } from '../model/endpoint.js';
import type { EndpointId } from '../model/ids.js';
import type { Family, Network } from '../model/network.js';
import type { PortBinding } from '../model/port.js';

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
  if (endpoint.remote) return leadsRemotely(endpoint.remote, family);
  const families = driver.leadsOut?.(network);
  return families === undefined || (family === 4 ? families.ipv4 : families.ipv6);
};

const DEFAULT: Readonly<Record<Family, string>> = { 4: '0.0.0.0/0', 6: '::/0' };

/** A plugin says by each endpoint whether it leads out: by a gateway, or by a default route among its static ones. */
const leadsRemotely = ({ gateway4, gateway6, routes }: RemoteEndpoint, family: Family): boolean =>
  (family === 4 ? gateway4 : gateway6) !== undefined ||
  routes.some(({ destination }) => destination === DEFAULT[family]);

const dualStack = ({ network }: Member): boolean => network.ipv4 && network.ipv6;

const preference = (a: Member, b: Member): number =>
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
  const { gateway4, gateway6 } = gateways(others);
  return (
    gateway4 === null &&
    gateway6 === null &&
    others.some(
      ({ network, driver, endpoint }) => !network.internal && driver.needsGateway?.(endpoint) === true,
    )
  );
};

const isIpv6 = (address: string): boolean => address.includes(':');

/** The bindings an endpoint carries. IPv6 ports of a container without IPv6 go where its IPv4 gateway is (by the relay). */
export const bindingsOf = (
  endpoint: EndpointId,
  { gateway4, gateway6 }: Gateways,
  bindings: readonly PortBinding[],
): readonly PortBinding[] =>
  bindings.filter((b) => (isIpv6(b.hostIp) ? (gateway6 ?? gateway4) : (gateway4 ?? gateway6)) === endpoint);
