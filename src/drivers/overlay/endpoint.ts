/** Slice of an overlay endpoint: the veth pair, and what its two ends have. What leads out is docker_gwbridge's, or the ingress network. Pure. */
import { asGuard, endpointElements } from '../../firewall/index.js';
import { bare } from '../../model/address.js';
import type { Family } from '../../model/network.js';
import type { KernelObject } from '../../plan/objects.js';
import type { EndpointView } from '../contract.js';
import { portSysctls, routerOf, vethPair } from '../host-end.js';
import { sandboxEnd } from '../sandbox-end.js';
import { carriedAddresses, forwards } from '../sender.js';
import { ingressEndpoint, settingsOf } from './ingress.js';
import { bridgeOf, firewallNetwork } from './network.js';

/** It sends with its own MAC and addresses alone, to containers of other hosts too. */
const guards = ({ endpoint, network, sandbox }: EndpointView): readonly KernelObject[] =>
  endpointElements({
    network: firewallNetwork(network),
    hostIfname: endpoint.hostIfname,
    mac: endpoint.mac,
    addresses: [endpoint.ipv4, endpoint.ipv6, ...endpoint.linkLocal].flatMap((a) => (a ? [bare(a)] : [])),
    exposed: [],
    bindings: [],
    linkedTo: [],
    forwards: forwards(endpoint, sandbox),
    carried: carriedAddresses(endpoint.driverOptions),
  }).map(asGuard);

export const endpoint = (view: EndpointView): readonly KernelObject[] => {
  const { overlay } = view.network;
  if (!overlay) return [];
  const { mtu } = overlay;
  const { network } = view;
  const router = (family: Family): string | undefined =>
    network.ingress ? routerOf(network, settingsOf(network, overlay), family) : undefined;
  return [
    // With br_netfilter a container's call to its own service by its node's port leaves by the port that it came from.
    vethPair(view, { mtu, master: bridgeOf(network), hairpin: network.ingress === true }),
    ...portSysctls(view, { mtu }),
    ...sandboxEnd(view, { mtu, router }),
    ...(network.ingress ? ingressEndpoint(view, overlay) : guards(view)),
  ];
};
