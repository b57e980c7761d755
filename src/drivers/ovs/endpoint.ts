/** Slice of an Open vSwitch endpoint: a veth pair whose near end is plugged into the switch, its rules, its sandbox end. Pure. */
import { defined } from '../../defined.js';
import { switchedElement } from '../../firewall/index.js';
import type { KernelObject, OvsPortObject } from '../../plan/objects.js';
import type { EndpointView } from '../contract.js';
import { hostPorts, portElements, portSysctls, routerOf, vethPair } from '../host-end.js';
import { sandboxEnd } from '../sandbox-end.js';
import { endpointFlows } from './flows.js';
import type { PortOptions } from './options.js';
import { type OvsSettings, ovsSettings, portSettings } from './settings.js';

/** `iface-id` and `attached-mac` are what Open vSwitch's own documents ask of who plugs something in. */
const port = (
  { endpoint, network }: EndpointView,
  { bridge, icc }: OvsSettings,
  { vlan, trunks, egress }: PortOptions,
): OvsPortObject => ({
  kind: 'ovs-port',
  name: endpoint.hostIfname,
  bridge,
  role: 'endpoint',
  ...defined({ tag: vlan, trunks, shaping: egress }),
  protected: !icc,
  externalIds: {
    viaduct: network.id,
    'viaduct-endpoint': endpoint.id,
    'iface-id': endpoint.id,
    'attached-mac': endpoint.mac,
  },
});

/**
 * With the userspace datapath Open vSwitch taps the port as a capture would: the container finishes its packets itself,
 * and the host's own stack is kept off them. It would answer ARP for the gateway, and lead everything past the switch.
 */
const tapped = (hostIfname: string, ns: string, ifname: string): readonly KernelObject[] => [
  { kind: 'offload', ns, link: ifname, transmit: false },
  { kind: 'sysctl', ns: 'host', path: `net/ipv4/conf/${hostIfname}/arp_ignore`, value: '8' },
  switchedElement(hostIfname),
];

/** A router of our own, or one on the physical network whose address the user named as gateway. */
const published = (view: EndpointView, { gateway }: OvsSettings): readonly KernelObject[] =>
  gateway
    ? [
        ...hostPorts(view, gateway),
        // The nftables bridge family never sees these frames: OpenFlow guards the port.
        ...portElements(view, gateway).filter(({ family }) => family === 'inet'),
      ]
    : [];

export const endpoint = (view: EndpointView): readonly KernelObject[] => {
  const settings = ovsSettings(view.network, view.host);
  const options = portSettings(settings, view.endpoint.driverOptions);
  const { mtu, bridge, datapath, gateway } = settings;
  const { sandbox, network } = view;
  const { ifname } = view.endpoint;
  return [
    vethPair(view, { mtu, master: '', hairpin: false }),
    port(view, settings, options),
    ...endpointFlows({ bridge, endpoint: view.endpoint, sandbox, options }),
    ...portSysctls(view, { mtu }),
    ...(datapath === 'netdev' ? tapped(view.endpoint.hostIfname, sandbox.netns, ifname) : []),
    ...sandboxEnd(view, {
      mtu,
      router: (family) =>
        gateway
          ? routerOf(network, gateway, family)
          : network.pools.find((pool) => pool.family === family)?.gateway,
    }),
    ...published(view, settings),
  ];
};
