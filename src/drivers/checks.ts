/** What drivers check alike of a network: its pools, and the other networks of the same driver. Pure. */
import { forbidden, invalid } from '../errors.js';
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

/** Of a network that the host routes: IPv4 or IPv6 is on, and each family has one subnet. Throws invalid, forbidden. */
export const checkOneSubnet = (network: Network): void => {
  if (!network.ipv4 && !network.ipv6) throw invalid('IPv4 or IPv6 must be enabled');
  for (const family of [4, 6] as const)
    if (network.pools.filter((pool) => pool.family === family).length > 1)
      throw forbidden(`${network.driver} driver doesn't support multiple subnets`);
  checkPools(network);
};

/** The networks of the same driver that may want what it wants. */
export const rivalsOf = (network: Network, others: readonly Network[]): readonly Network[] =>
  others.filter(
    ({ driver, configOnly, id }) => driver === network.driver && !configOnly && id !== network.id,
  );
