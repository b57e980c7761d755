/** Whether an Open vSwitch network can be: its pools, and what exists beside it. Pure. */
import { forbidden, invalid } from '../../errors.js';
import type { Network } from '../../model/network.js';
import { checkOneSubnet, rivalsOf } from '../checks.js';
import type { HostView } from '../contract.js';
import { checkMtu } from '../sandbox-end.js';
import { type OvsSettings, ovsSettings } from './settings.js';

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
  checkOneSubnet(network);
  checkMtu(network, settings.mtu);
  if (settings.uplink !== undefined && settings.uplink === settings.bridge)
    throw invalid(`bridge and uplink are both called ${settings.uplink}`);
  for (const other of rivalsOf(network, others)) {
    const conflict = conflictWith(settings, ovsSettings(other, host));
    if (conflict)
      throw forbidden(`cannot create network ${network.id}: conflicts with network ${other.id}: ${conflict}`);
  }
};
