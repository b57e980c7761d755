/** Which pool of a network an address is of: a network may have several of a family. */
import { bare, contains, parseAddress, parsePrefix } from './address.js';
import type { IpamConfig, Network, Pool } from './network.js';

const holds = ({ subnet }: Pool, address: string): boolean => {
  const prefix = parsePrefix(subnet);
  const parsed = parseAddress(bare(address));
  return prefix !== undefined && parsed !== undefined && contains(prefix, parsed);
};

/** `address` with or without prefix length; undefined: none, or of no pool. */
export const poolHolding = ({ pools }: Network, address: string | undefined): Pool | undefined =>
  address === undefined ? undefined : pools.find((pool) => holds(pool, address));

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
