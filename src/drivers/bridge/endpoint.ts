/** Slice of a bridge endpoint: the veth pair, what its two ends have, published ports. Pure. */
import type { KernelObject } from '../../plan/objects.js';
import type { EndpointView } from '../contract.js';
import { hostPorts, isIsolated, portElements, portSysctls, routerOf, vethPair } from '../host-end.js';
import { sandboxEnd } from '../sandbox-end.js';
import { endpointShortcut } from './fastpath.js';
import { bridgeSettings } from './settings.js';

export const endpoint = (view: EndpointView): readonly KernelObject[] => {
  const { network, endpoint, host } = view;
  const settings = bridgeSettings(network, host);
  const { mtu, bridge } = settings;
  return [
    // With br_netfilter a container's call to its own published port is translated inside the bridge and has to leave by the port that
    // it came from. Without it the host routes the call, and hairpin changes nothing.
    vethPair(view, {
      ...{ mtu, master: bridge, hairpin: endpoint.bindings.length > 0 },
      isolated: isIsolated(view, settings),
    }),
    ...portSysctls(view, settings),
    ...sandboxEnd(view, { mtu, router: (family) => routerOf(network, settings, family) }),
    ...hostPorts(view, settings),
    ...portElements(view, settings),
    ...endpointShortcut(view, settings),
  ];
};
