/**
 * Slice of a bridge network: the bridge, its addresses and sysctls, its place in the firewall. Pure.
 *
 * On a bridge that was there before (`Network.adopted`) only what it lacks is ours: an address that it had is no object, so
 * that no plan takes it away; its IPv6 and its router advertisements are its administrator's (containers' are stopped at
 * their ports); what publishing on 127.0.0.1 needs is taken back with the network.
 */
import { bare } from '../../model/address.js';
import { macFromText } from '../../model/mac.js';
import type { AdoptedBridge } from '../../model/network.js';
import type { AddressObject, KernelObject, SysctlObject } from '../../plan/objects.js';
import type { NetworkView } from '../contract.js';
import { hostAddresses, hostGuards, hostSysctls } from '../host-end.js';
import { networkFastpath } from './fastpath.js';
import { type BridgeSettings, bridgeSettings } from './settings.js';

const sysctls = (view: NetworkView, settings: BridgeSettings): SysctlObject[] => {
  const { adopted } = view.network;
  const all = hostSysctls(view, settings);
  if (!adopted) return all;
  return adopted.routeLocalnet
    ? []
    : all.filter(({ path }) => path.endsWith('/route_localnet')).map((o) => ({ ...o, restore: '0' }));
};

/** The kernel knows an IPv4 address by its subnet too, an IPv6 address by itself. */
const isTheirs = (adopted: AdoptedBridge, address: string): boolean =>
  adopted.addresses.some((a) => a === address || (a.includes(':') && bare(a) === bare(address)));

const addresses = (view: NetworkView, settings: BridgeSettings): AddressObject[] => {
  const { adopted } = view.network;
  const all = hostAddresses(view.network, settings);
  return adopted ? all.filter(({ address }) => !isTheirs(adopted, address)) : all;
};

export const network = (view: NetworkView): readonly KernelObject[] => {
  const settings = bridgeSettings(view.network, view.host);
  const { bridge: name, mtu, owned } = settings;
  return [
    {
      kind: 'link',
      type: 'bridge',
      ns: 'host',
      name,
      // A fixed MAC: on an automatic one permanent neighbours vanish when a port joins.
      mac: macFromText(`bridge ${view.network.id}`),
      mtu,
      up: true,
      owned,
    },
    ...sysctls(view, settings),
    ...addresses(view, settings),
    ...hostGuards(view, settings),
    ...networkFastpath(settings),
  ];
};
