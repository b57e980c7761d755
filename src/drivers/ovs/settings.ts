/** The options of an Open vSwitch network with defaults and the network's identity put in. Pure. */
import { defined } from '../../defined.js';
import { macFromText } from '../../model/mac.js';
import type { Family, Network } from '../../model/network.js';
import type { OvsBridgeObject } from '../../plan/objects.js';
import type { HostView } from '../contract.js';
import type { HostEnd } from '../host-end.js';
import {
  type OvsOptions,
  type PortOptions,
  readEndpointOptions,
  readOptions,
  type TunnelOptions,
} from './options.js';

const DEFAULT_MTU = 1500;

export interface OvsSettings extends Omit<OvsOptions, 'bridge' | 'datapath'> {
  /** the switch */
  readonly bridge: string;
  /** true: the user named it, networks may share it, and it may be there already */
  readonly named: boolean;
  readonly datapath: 'system' | 'netdev';
  readonly mtu: number;
  /** the host's interface on the network; undefined: it has none */
  readonly gateway?: HostEnd;
}

/** `ovs-` and eleven digits of the network's id: 15 bytes, as many as an interface's name may have. */
export const ownName = ({ id }: Network): string => `ovs-${id.slice(0, 11)}`;

/** Outer Ethernet, IP, UDP and VXLAN headers; outer IP, GRE with key, inner Ethernet; IPv6's header is 20 longer. */
const OVERHEAD = { vxlan: 50, gre: 42 } as const;
const IPV6_MORE = 20;

const defaultMtu = ({ mtu }: HostView, tunnel: TunnelOptions | undefined): number => {
  const outer = mtu || DEFAULT_MTU;
  if (!tunnel) return outer;
  return outer - OVERHEAD[tunnel.type] - (tunnel.remotes.some((r) => r.includes(':')) ? IPV6_MORE : 0);
};

const hostEnd = (network: Network, options: OvsOptions, mtu: number): HostEnd => {
  const mode = options.gatewayMode === 'routed' ? 'routed' : 'nat';
  return {
    bridge: ownName(network),
    owned: false,
    mtu,
    masquerade: options.masquerade,
    icc: true,
    inhibitIpv4: false,
    modes: { 4: mode, 6: mode } satisfies Record<Family, 'nat' | 'routed'>,
    snat: options.snat,
    trusted: [],
  };
};

/** The kernel's datapath where the machine has one. */
const datapathOf = ({ datapath }: OvsOptions, host: HostView): 'system' | 'netdev' =>
  datapath === 'auto' ? (host.ovsDatapath ?? 'netdev') : datapath;

export const ovsSettings = (network: Network, host: HostView): OvsSettings => {
  const options = readOptions(network);
  const mtu = options.mtu || defaultMtu(host, options.tunnel);
  return {
    ...options,
    bridge: options.bridge ?? ownName(network),
    named: options.bridge !== undefined,
    datapath: datapathOf(options, host),
    mtu,
    ...(options.gatewayMode === 'none' ? {} : { gateway: hostEnd(network, options, mtu) }),
  };
};

/** What an endpoint says for itself goes before what its network says; its access list comes before the network's. */
export const portSettings = (
  settings: OvsSettings,
  driverOptions: Readonly<Record<string, string>>,
): PortOptions => {
  const own = readEndpointOptions(driverOptions);
  const { vlan, trunks, ingress, egress } = { ...settings, ...own };
  return { ...defined({ vlan, trunks, ingress, egress }), acl: [...own.acl, ...settings.acl] };
};

export const bridgeObject = (
  { bridge, named, datapath, mtu }: OvsSettings,
  network: Network,
): OvsBridgeObject => ({
  kind: 'ovs-bridge',
  name: bridge,
  datapath,
  // A fixed MAC: an automatic one would change with the ports.
  mac: macFromText(`ovs ${named ? bridge : network.id}`),
  // Networks that share a bridge have interfaces of their own on it, with MTUs of their own.
  mtu: named ? 0 : mtu,
  owner: named ? bridge : network.id,
  named,
});
