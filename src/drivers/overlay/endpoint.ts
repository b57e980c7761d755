/** Slice of an overlay endpoint: the veth pair, and what its two ends have. What leads out is docker_gwbridge's. Pure. */
import { asGuard, endpointElements } from '../../firewall/index.js';
import { bare } from '../../model/address.js';
import type { KernelObject, VethLink } from '../../plan/objects.js';
import type { EndpointView } from '../contract.js';
import { portSysctls } from '../host-end.js';
import { sandboxEnd } from '../sandbox-end.js';
import { carriedAddresses, forwards } from '../sender.js';
import { bridgeOf, firewallNetwork } from './network.js';

const veth = ({ endpoint, sandbox, network }: EndpointView, mtu: number): VethLink => ({
  kind: 'link',
  type: 'veth',
  ns: 'host',
  name: endpoint.hostIfname,
  mtu,
  up: true,
  master: bridgeOf(network),
  hairpin: false,
  isolated: false,
  peerNs: sandbox.netns,
  peerName: endpoint.ifname,
  peerMac: endpoint.mac,
});

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
  return [
    veth(view, mtu),
    ...portSysctls(view, { mtu }),
    ...sandboxEnd(view, { mtu, router: () => undefined }),
    ...guards(view),
  ];
};
