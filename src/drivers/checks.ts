/** What every driver with addresses asks of a network's pools. Pure. */
import { invalid } from '../errors.js';
import type { Network } from '../model/network.js';

/** Each family that is on has a pool, and none is the whole Internet. Throws invalid with moby's text. */
export const checkPools = (network: Network): void => {
  for (const family of [4, 6] as const) {
    const pools = network.pools.filter((pool) => pool.family === family);
    const on = family === 4 ? network.ipv4 : network.ipv6;
    if (on && (pools.length === 0 || pools[0]?.subnet.endsWith('/0')))
      throw invalid(`ipv${family} pool is empty`);
  }
};
