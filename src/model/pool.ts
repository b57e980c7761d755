/** Which pool of a network an address is of: a network may have several of a family. */
import { bare, contains, parseAddress, parsePrefix } from './address.js';
import type { IpamConfig, Network, Pool } from './network.js';

/** For many addresses: subnets are read once. */
const holdingOf = ({ pools }: Network): ((address: string | undefined) => Pool | undefined) => {
  const known = pools.map((pool) => ({ pool, prefix: parsePrefix(pool.subnet) }));
  return (address) => {
    const parsed = address === undefined ? undefined : parseAddress(bare(address));
    return parsed && known.find(({ prefix }) => prefix && contains(prefix, parsed))?.pool;
  };
};

/** `address` with or without prefix length; undefined: none, or of no pool. */
export const poolHolding = (network: Network, address: string | undefined): Pool | undefined =>
  holdingOf(network)(address);

/** May a container have these, with or without prefix length? None of no subnet of the network, nor its gateway's. */
export const givable = (network: Network): ((...addresses: readonly (string | undefined)[]) => boolean) => {
  const poolOf = holdingOf(network);
  return (...addresses) =>
    addresses.every((address) => {
      if (address === undefined) return true;
      const pool = poolOf(address);
      return pool !== undefined && pool.gateway !== bare(address);
    });
};

/** A bare address with the length of its subnet. */
export const withLength = (address: string, { subnet }: Pick<Pool, 'subnet'>): string =>
  `${address}/${subnet.split('/')[1] ?? ''}`;

/** As `inspect` shows it. */
export const shownPool = (pool: Pool): IpamConfig => ({
  subnet: pool.subnet,
  ...(pool.range ? { range: pool.range } : {}),
  ...(pool.gateway ? { gateway: pool.gateway } : {}),
  ...(Object.keys(pool.auxiliary).length > 0 ? { auxiliary: pool.auxiliary } : {}),
});

/** How many addresses of a pool there are. */
export interface AddressCount {
  /** of the subnet: taken, and never given out */
  readonly inUse: bigint;
  /** of the range: what can still be given */
  readonly available: bigint;
}
