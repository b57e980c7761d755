/** Whether a bridge network can be: its options, its pools, and what exists beside it. moby's statuses and texts. Pure. */
import { forbidden, invalid } from '../../errors.js';
import { contains, masked, overlaps, type Prefix, parseAddress, parsePrefix } from '../../model/address.js';
import type { Network, Pool } from '../../model/network.js';
import { checkOneSubnet, rivalsOf } from '../checks.js';
import type { HostView } from '../contract.js';
import { checkMtu } from '../sandbox-end.js';
import { type BridgeSettings, bridgeSettings } from './settings.js';

const constant = (text: string): Prefix => {
  const prefix = parsePrefix(text);
  if (!prefix) throw new TypeError(text);
  return prefix;
};
const LINK_LOCAL = constant('fe80::/64');
const MULTICAST = constant('ff00::/8');

/** Every interface has fe80::/64 already: the same prefix is harmless, another that overlaps it confuses. */
const checkIpv6Subnet = (pool: Pool): void => {
  const subnet = parsePrefix(pool.subnet);
  if (!subnet) return;
  if (contains(MULTICAST, masked(subnet))) throw invalid(`multicast subnet '${pool.subnet}' is not allowed`);
  if (pool.subnet !== 'fe80::/64' && overlaps(LINK_LOCAL, subnet))
    throw invalid(`'${pool.subnet}' clashes with the Link-Local prefix 'fe80::/64'`);
};

const checkSubnets = (network: Network): void => {
  checkOneSubnet(network);
  for (const pool of network.pools) if (pool.family === 6) checkIpv6Subnet(pool);
};

/** `DefaultGatewayIPv4` and `DefaultGatewayIPv6`: auxiliary addresses that replace the bridge as default gateway. */
const checkDefaultGateways = (network: Network): void => {
  for (const pool of network.pools) {
    const gateway = pool.auxiliary[`DefaultGatewayIPv${pool.family}`];
    const subnet = parsePrefix(pool.subnet);
    const address = gateway === undefined ? undefined : parseAddress(gateway);
    if (gateway !== undefined && (!address || !subnet || !contains(subnet, address)))
      throw invalid('default gateway ip must be part of the network');
  }
};

const sharesPool = (a: Network, b: Network, family: 4 | 6): boolean =>
  a.pools.some((p) => {
    const one = p.family === family ? parsePrefix(p.subnet) : undefined;
    return one && b.pools.some((q) => overlaps(one, parsePrefix(q.subnet) ?? one) && q.family === family);
  });

const conflictWith = (
  network: Network,
  settings: BridgeSettings,
  other: Network,
  host: HostView,
): string | undefined => {
  if (bridgeSettings(other, host).bridge === settings.bridge) return 'networks have same bridge name';
  if (sharesPool(network, other, 4)) return 'networks have overlapping IPv4';
  return sharesPool(network, other, 6) ? 'networks have overlapping IPv6' : undefined;
};

export const validate = (network: Network, others: readonly Network[], host: HostView): void => {
  const settings = bridgeSettings(network, host);
  checkSubnets(network);
  checkDefaultGateways(network);
  checkMtu(network, settings.mtu);
  for (const other of rivalsOf(network, others)) {
    const conflict = conflictWith(network, settings, other, host);
    if (conflict)
      throw forbidden(
        `cannot create network ${network.id} (${settings.bridge}): conflicts with network ${other.id} (${bridgeSettings(other, host).bridge}): ${conflict}`,
      );
  }
};
