/** Slice of a bridge endpoint: the veth pair, what its two ends have, published ports. Pure. */
import type { KernelObject, VethLink } from '../../plan/objects.js';
import type { EndpointView } from '../contract.js';
import { hostPorts, portElements, portSysctls, routerOf } from '../host-end.js';
import { sandboxEnd } from '../sandbox-end.js';
import { type BridgeSettings, bridgeSettings } from './settings.js';

/**
 * Hairpin where the container publishes: with br_netfilter its call to its own published port is translated inside the
 * bridge and has to leave by the port it came from. Without br_netfilter the host routes it and hairpin changes nothing.
 */
const veth = ({ endpoint, sandbox }: EndpointView, { bridge, mtu }: BridgeSettings): VethLink => ({
  kind: 'link',
  type: 'veth',
  ns: 'host',
  name: endpoint.hostIfname,
  mtu,
  up: true,
  master: bridge,
  hairpin: endpoint.bindings.length > 0,
  isolated: false,
  peerNs: sandbox.netns,
  peerName: endpoint.ifname,
  peerMac: endpoint.mac,
});

export const endpoint = (view: EndpointView): readonly KernelObject[] => {
  const settings = bridgeSettings(view.network, view.host);
  return [
    veth(view, settings),
    ...portSysctls(view, settings),
    ...sandboxEnd(view, {
      mtu: settings.mtu,
      router: (family) => routerOf(view.network, settings, family),
    }),
    ...hostPorts(view, settings),
    ...portElements(view, settings),
  ];
};
