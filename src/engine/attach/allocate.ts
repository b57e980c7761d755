/**
 * The addresses of an endpoint. Where they are ours to give, allocating reads which are free and takes nothing: the endpoint's
 * record takes them when it is committed. Plugins are asked (`ask-plugins.ts`), and what they answer has the same shape. Pure.
 */
import { defined } from '../../defined.js';
import { forbidden, invalid, ViaductError } from '../../errors.js';
import { isOwnIpam } from '../../ipam/own.js';
import { bare } from '../../model/address.js';
import type { Family, Network, Pool } from '../../model/network.js';
import { type AddressCount, poolHolding, withLength } from '../../model/pool.js';
import type { View } from '../view.js';
import type { Allocation, EndpointDesign } from './design.js';

type Records = Pick<View, 'model'>;

const holder = ({ model }: Records, network: Network, pool: Pool, address: string): string => {
  const endpoint = model.endpointAt(network.id, address);
  if (endpoint) return `is that of container ${endpoint.containerName}`;
  if (address === pool.gateway) return `is the gateway of network ${network.name}`;
  return `is kept free on network ${network.name}`;
};

const requestedAddress = (view: Records, network: Network, address: string): string => {
  const pool = poolHolding(network, address);
  if (!pool) throw invalid(`invalid endpoint settings:\nno configured subnet contains IP address ${address}`);
  const { model } = view;
  if (model.addressesOn(network).has(address) || model.taken.anywhere.has(address))
    throw forbidden(`Address already in use: ${address} ${holder(view, network, pool, address)}`);
  return withLength(address, pool);
};

/** Of the first pool that has one left. What a container that does not run asks for is given to others last. */
const freeAddress = ({ model }: Records, network: Network, pools: readonly Pool[]): string | undefined => {
  const [pool, ...more] = pools;
  if (!pool) return undefined;
  try {
    const spare = model.namedAddresses(network);
    return withLength(model.addressesOn(network).free(pool, spare, model.taken.anywhere), pool);
  } catch (error) {
    if (more.length > 0 && error instanceof ViaductError) return freeAddress({ model }, network, more);
    throw error;
  }
};

/** With prefix length; undefined where the network has none of the family. Throws invalid or forbidden. */
const ownAddress = (
  view: Records,
  network: Network,
  family: Family,
  requested: string | undefined,
): string | undefined =>
  requested === undefined
    ? freeAddress(
        view,
        network,
        network.pools.filter((pool) => pool.family === family),
      )
    : requestedAddress(view, network, requested);

/** From our own pools. */
export const allocateOwn = (view: Records, { network, settings, ipv4, ipv6 }: EndpointDesign): Allocation => {
  const v4 = ipv4 ? ownAddress(view, network, 4, settings.ipv4) : undefined;
  const v6 = ipv6 ? ownAddress(view, network, 6, settings.ipv6) : undefined;
  return defined({ ipv4: v4, ipv6: v6 });
};

/** Has anybody the address, with or without prefix length, or may nobody have it? */
export const isTaken = ({ model }: Records, network: Network, address: string): boolean =>
  model.addressesOn(network).has(bare(address));

/** How many addresses of each of its subnets a network uses, and can still give out; none where they are not ours to give. */
export const addressCounts = ({ model }: Records, network: Network): ReadonlyMap<string, AddressCount> => {
  const space = model.addressesOn(network);
  const pools = isOwnIpam(network.ipam.driver) ? network.pools : [];
  return new Map(pools.map((pool) => [pool.subnet, space.count(pool)]));
};
