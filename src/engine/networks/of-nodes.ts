/**
 * Networks of a swarm that each of its nodes makes for itself, of drivers whose networks are on one host. A manager has the name
 * and what is wished, and checks that; a node makes its own of it when a container needs it: subnets, options and addresses are
 * the node's, out of its own configuration network where one is named. Pure.
 */
import { forbidden, invalid, notFound, notImplemented } from '../../errors.js';
import { isOwnIpam } from '../../ipam/own.js';
import { resolvePools } from '../../ipam/pools.js';
import { Subnets } from '../../ipam/subnets.js';
import type { Network } from '../../model/network.js';
import type { NetworkCreateRequest } from '../contract.js';
import type { View } from '../view.js';
import { checkSource, design, naming } from './design.js';

/** Drivers that put containers on the physical network, where nobody may have another's address. */
const ON_THE_WIRE: readonly string[] = ['macvlan', 'ipvlan'];

const nobodys = { networkId: '', defaultPools: [], seed: '' };

/** Throws what no node could make, in words; answers a warning, empty: there is none. */
export const checkOfNodes = ({ drivers }: Pick<View, 'drivers'>, request: NetworkCreateRequest): string => {
  const { ingress, ipam } = request;
  const name = request.driver || 'bridge';
  const driver = drivers.get(name);
  if (ingress)
    throw invalid(`an ingress network spans the nodes of the swarm, which those of driver ${name} do not`);
  if (!driver)
    throw notFound(`a network of a swarm needs a driver that every node has: ${name} is not built in`);
  if (!driver.capabilities.interfaces) throw forbidden(`only one instance of "${name}" network is allowed`);
  if (!isOwnIpam(ipam.driver))
    throw notImplemented(`networks of a swarm do not have their addresses from IPAM driver "${ipam.driver}"`);
  checkSource(request);
  if (request.configFrom !== '') return '';
  const gateways = driver.gateways(request);
  const named = ipam.config.some(({ subnet }) => subnet !== undefined);
  if (named) {
    const asked = { ipv4: request.ipv4 ?? true, ipv6: request.ipv6 ?? false, config: ipam.config };
    resolvePools(asked, { ...nobodys, gateways, taken: new Subnets(), hostRoutes: () => new Subnets() });
  }
  return named && ON_THE_WIRE.includes(name)
    ? `each node gives addresses of the subnet by itself, so two containers may have the same: give each node a range of its own, by a configuration network on it (--config-only) and --config-from`
    : '';
};

/** This node's own of the network. Throws what stands in its way. */
export const designOfNode = (view: View, wish: Network): Network => {
  const { id, createdAt: now } = wish;
  const named = naming(view, { id, now }, { ...wish, scope: '', ingress: false });
  if (!isOwnIpam(named.request.ipam.driver))
    throw notImplemented(
      `configuration network "${wish.configFrom}" has IPAM driver "${named.request.ipam.driver}", by which networks of a swarm do not have their addresses`,
    );
  return design(view, named, { scope: 'swarm' });
};
