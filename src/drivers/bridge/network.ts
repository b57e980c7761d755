/** Slice of a bridge network: the bridge, its addresses and sysctls, its place in the firewall. Pure. */
import { macFromText } from '../../model/mac.js';
import type { KernelObject } from '../../plan/objects.js';
import type { NetworkView } from '../contract.js';
import { hostAddresses, hostGuards, hostSysctls } from '../host-end.js';
import { bridgeSettings } from './settings.js';

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
    ...hostSysctls(view, settings),
    ...hostAddresses(view.network, settings),
    ...hostGuards(view, settings),
  ];
};
