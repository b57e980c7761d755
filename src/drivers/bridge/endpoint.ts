/** Slice of a bridge endpoint: the veth pair, what its two ends have, published ports. Pure. */
import { endpointElements } from '../../firewall/index.js';
import { bare } from '../../model/address.js';
import type { Endpoint, Sandbox } from '../../model/endpoint.js';
import type { Family, Network } from '../../model/network.js';
import type {
  ElementObject,
  HostPortObject,
  KernelObject,
  SysctlObject,
  VethLink,
} from '../../plan/objects.js';
import type { EndpointView } from '../contract.js';
import { MIN_MTU_IPV6, sandboxEnd } from '../sandbox-end.js';
import { firewallNetwork, poolOf } from './network.js';
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

/** The host's end is a bridge port and never speaks for itself. */
const hostSysctls = ({ endpoint, host }: EndpointView, { mtu }: BridgeSettings): SysctlObject[] =>
  host.ipv6 && mtu >= MIN_MTU_IPV6
    ? [
        {
          kind: 'sysctl',
          ns: 'host',
          path: `net/ipv6/conf/${endpoint.hostIfname}/disable_ipv6`,
          value: '1',
        },
      ]
    : [];

/** The bridge's address, or a router beside the bridge (`--default-gateway`); an isolated bridge has none. */
const routerOf = (network: Network, { modes }: BridgeSettings, family: Family): string | undefined => {
  const pool = poolOf(network, family);
  return modes[family] === 'isolated'
    ? undefined
    : (pool?.auxiliary[`DefaultGatewayIPv${family}`] ?? pool?.gateway);
};

const familyOf = (address: string): Family => (address.includes(':') ? 6 : 4);

/** Where a relay sends what NAT cannot carry: the container's address of the family if it has one, else the other. */
const relayTarget = ({ ipv4, ipv6 }: Endpoint, family: Family): string | undefined =>
  family === 4 ? (ipv4 ?? ipv6) : (ipv6 ?? ipv4);

/** Routed networks publish the container's own port: no port of the host is taken. */
const hostPorts = ({ endpoint, network }: EndpointView, { modes }: BridgeSettings): HostPortObject[] =>
  network.internal
    ? []
    : endpoint.bindings.flatMap(({ protocol, hostIp, hostPort, containerPort, count }) => {
        const family = familyOf(hostIp);
        const target = relayTarget(endpoint, family);
        if (target === undefined || (poolOf(network, family) && modes[family] === 'routed')) return [];
        return [
          {
            kind: 'hostport',
            protocol,
            address: hostIp,
            port: hostPort,
            count,
            target: { address: bare(target), port: containerPort },
          },
        ];
      });

/** What confines the port: all of the bridge table but the flows that links open. */
const confines = ({ family, set }: ElementObject): boolean => family === 'bridge' && !set.startsWith('links');

/** Who asks for forwarding in the container says that it is a router: it may send others' packets. */
const forwards = ({ sysctls }: Sandbox): boolean =>
  sysctls['net.ipv4.ip_forward'] === '1' || sysctls['net.ipv6.conf.all.forwarding'] === '1';

const elements = ({ endpoint, network, sandbox }: EndpointView, settings: BridgeSettings): ElementObject[] =>
  endpointElements({
    network: firewallNetwork(network, settings),
    hostIfname: endpoint.hostIfname,
    mac: endpoint.mac,
    addresses: [endpoint.ipv4, endpoint.ipv6, ...endpoint.linkLocal].flatMap((a) => (a ? [bare(a)] : [])),
    exposed: endpoint.exposed,
    bindings: endpoint.bindings,
    linkedTo: endpoint.linkedTo,
    forwards: forwards(sandbox),
  }).map((e) => (confines(e) ? { ...e, guard: true } : e));

export const endpoint = (view: EndpointView): readonly KernelObject[] => {
  const settings = bridgeSettings(view.network, view.host);
  return [
    veth(view, settings),
    ...hostSysctls(view, settings),
    ...sandboxEnd(view, {
      mtu: settings.mtu,
      router: (family) => routerOf(view.network, settings, family),
    }),
    ...hostPorts(view, settings),
    ...elements(view, settings),
  ];
};
