/** Slice of a bridge endpoint: the veth pair, what its sandbox end has, default routes through it, published ports. Pure. */
import { endpointElements } from '../../firewall/index.js';
import { bare } from '../../model/address.js';
import type { Endpoint, Sandbox } from '../../model/endpoint.js';
import type { Family } from '../../model/network.js';
import type {
  AddressObject,
  ElementObject,
  HostPortObject,
  KernelObject,
  RouteObject,
  SysctlObject,
  VethLink,
} from '../../plan/objects.js';
import type { EndpointView } from '../contract.js';
import { endpointSysctls } from '../endpoint-options.js';
import { firewallNetwork, poolOf } from './network.js';
import { type BridgeSettings, bridgeSettings, MIN_MTU_IPV6 } from './settings.js';

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

/**
 * The host's end is a bridge port and never speaks for itself. The sandbox's end has IPv6 exactly where the network has,
 * takes no router advertisements, and announces its address when it comes up, so that no neighbour keeps an old MAC.
 */
const sysctls = ({ endpoint, sandbox, host }: EndpointView, { mtu }: BridgeSettings): SysctlObject[] => {
  const { hostIfname, ifname, ipv4, ipv6 } = endpoint;
  const hasIpv6 = host.ipv6 && mtu >= MIN_MTU_IPV6;
  const at = (ns: string, link: string, path: string, value: string): SysctlObject => ({
    kind: 'sysctl',
    ns,
    path: `net/${path.replace('%', link)}`,
    value,
  });
  const inside = (path: string, value: string): SysctlObject => at(sandbox.netns, ifname, path, value);
  const ours = [
    ...(hasIpv6 ? [at('host', hostIfname, 'ipv6/conf/%/disable_ipv6', '1')] : []),
    ...(hasIpv6 ? [inside('ipv6/conf/%/disable_ipv6', ipv6 === undefined ? '1' : '0')] : []),
    ...(hasIpv6 && ipv6 !== undefined
      ? [inside('ipv6/conf/%/accept_ra', '0'), inside('ipv6/conf/%/ndisc_notify', '1')]
      : []),
    ...(ipv4 === undefined ? [] : [inside('ipv4/conf/%/arp_notify', '1')]),
  ];
  const users = endpointSysctls(endpoint.driverOptions, sandbox.netns, ifname);
  const theirs = new Set(users.map(({ path }) => path));
  return [...ours.filter(({ ns, path }) => ns === 'host' || !theirs.has(path)), ...users];
};

/** Docker gives `--link-local-ip` these prefix lengths. */
const linkLocalBits = (address: string): number => (address.includes(':') ? 64 : 16);

const addresses = ({ endpoint, sandbox }: EndpointView): AddressObject[] =>
  [
    ...(endpoint.ipv4 === undefined ? [] : [endpoint.ipv4]),
    ...(endpoint.ipv6 === undefined ? [] : [endpoint.ipv6]),
    ...endpoint.linkLocal.map((address) => `${address}/${linkLocalBits(address)}`),
  ].map((address) => ({ kind: 'address', ns: sandbox.netns, link: endpoint.ifname, address }));

const defaultRoute = (view: EndpointView, family: Family, settings: BridgeSettings): RouteObject[] => {
  const { endpoint, sandbox, network } = view;
  const chosen = family === 4 ? sandbox.gateway4 : sandbox.gateway6;
  const pool = poolOf(network, family);
  const via = pool?.auxiliary[`DefaultGatewayIPv${family}`] ?? pool?.gateway;
  if (chosen !== endpoint.id || network.internal || settings.modes[family] === 'isolated') return [];
  const destination = family === 4 ? '0.0.0.0/0' : '::/0';
  const { ifname: link } = endpoint;
  return via === undefined ? [] : [{ kind: 'route', ns: sandbox.netns, family, destination, link, via }];
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
    ...sysctls(view, settings),
    ...addresses(view),
    ...hostPorts(view, settings),
    ...elements(view, settings),
    ...defaultRoute(view, 4, settings),
    ...defaultRoute(view, 6, settings),
  ];
};
