/** Whether an Open vSwitch network can be: its pools, and what exists beside it. Pure. */
import { forbidden, invalid } from '../../errors.js';
import type { Network } from '../../model/network.js';
import type { HostView } from '../contract.js';
import { MIN_MTU_IPV6 } from '../sandbox-end.js';
import { type OvsSettings, ovsSettings } from './settings.js';

const checkPools = (network: Network): void => {
  if (!network.ipv4 && !network.ipv6) throw invalid('IPv4 or IPv6 must be enabled');
  for (const family of [4, 6] as const) {
    const pools = network.pools.filter((pool) => pool.family === family);
    if (pools.length > 1) throw forbidden("ovs driver doesn't support multiple subnets");
    if ((family === 4 ? network.ipv4 : network.ipv6) && pools.length === 0)
      throw invalid(`ipv${family} pool is empty`);
  }
};

/** Tunnels of two networks that nothing on the wire tells apart. */
const sameTunnel = (a: OvsSettings, b: OvsSettings): string | undefined => {
  const [one, other] = [a.tunnel, b.tunnel];
  if (!one || !other || one.type !== other.type) return undefined;
  if ((one.key ?? -1) !== (other.key ?? -1) || (one.port ?? 4789) !== (other.port ?? 4789)) return undefined;
  const remote = one.remotes.find((r) => other.remotes.includes(r));
  return remote && `networks have the same ${one.type} tunnel to ${remote}: give them different keys`;
};

const conflictWith = (a: OvsSettings, b: OvsSettings): string | undefined => {
  if (a.uplink !== undefined && a.uplink === b.uplink && a.bridge !== b.bridge)
    return `networks have the same uplink ${a.uplink} on different bridges`;
  if (a.bridge === b.bridge) {
    if (a.datapath !== b.datapath) return `networks want different datapaths of the bridge ${a.bridge}`;
    if (a.named !== b.named) return 'networks have same bridge name';
  }
  return sameTunnel(a, b);
};

export const validate = (network: Network, others: readonly Network[], host: HostView): void => {
  const settings = ovsSettings(network, host);
  checkPools(network);
  if (network.ipv6 && settings.mtu < MIN_MTU_IPV6)
    throw invalid(`invalid MTU number: ${settings.mtu}: IPv6 needs at least ${MIN_MTU_IPV6}`);
  if (settings.uplink !== undefined && settings.uplink === settings.bridge)
    throw invalid(`bridge and uplink are both called ${settings.uplink}`);
  for (const other of others) {
    if (other.driver !== 'ovs' || other.configOnly || other.id === network.id) continue;
    const conflict = conflictWith(settings, ovsSettings(other, host));
    if (conflict)
      throw forbidden(`cannot create network ${network.id}: conflicts with network ${other.id}: ${conflict}`);
  }
};
