/**
 * The host's end of a network that the host routes (a Linux bridge, Open vSwitch): the addresses and sysctls of its own
 * interface there, its place in the firewall, and what containers publish through it. The links are the driver's. Pure.
 */
import { defined } from '../defined.js';
import type { FirewallFamily, FirewallNetwork, GatewayMode } from '../firewall/contract.js';
import {
  asGuard,
  endpointElements,
  fixedSources,
  type Led,
  MANY,
  networkElements,
  pairsOf,
} from '../firewall/index.js';
import { bare, familyOf } from '../model/address.js';
import { addressesOf, type Endpoint } from '../model/endpoint.js';
import { type Family, GATEWAY_NETWORK, type Network, type Pool } from '../model/network.js';
import type { PortBinding } from '../model/port.js';
import { groupBy } from '../plan/group.js';
import { containerOf, hostOf, samePairs } from '../plan/kinds/published.js';
import type { AddressObject, HostPortObject, KernelObject, SysctlObject, VethLink } from '../plan/objects.js';
import type { EndpointView, NetworkView } from './contract.js';
import { MIN_MTU_IPV6 } from './sandbox-end.js';
import { carriedAddresses, forwards } from './sender.js';

/** What a driver's settings say of the host's own interface on the network. */
export interface HostEnd {
  /** the interface's name: the bridge's */
  readonly bridge: string;
  /** is it a bridge that we make ourselves, with the link group of what is ours? */
  readonly owned: boolean;
  /** bytes */
  readonly mtu: number;
  readonly masquerade: boolean;
  readonly icc: boolean;
  /** as `FirewallNetwork` has it */
  readonly mesh?: string;
  readonly inhibitIpv4: boolean;
  readonly modes: Readonly<Record<Family, GatewayMode>>;
  readonly snat: Readonly<Partial<Record<Family, string>>>;
  readonly trusted: readonly string[];
}

const poolOf = (network: Network, family: Family): Pool | undefined =>
  (family === 4 ? network.ipv4 : network.ipv6) ? network.pools.find((p) => p.family === family) : undefined;

/** The bridge's own address of the family, bare; undefined where it has none. */
const bridgeAddress = (pool: Pool, settings: HostEnd): string | undefined =>
  settings.modes[pool.family] === 'isolated' || (pool.family === 4 && settings.inhibitIpv4)
    ? undefined
    : pool.gateway;

const firewallFamily = (pool: Pool, settings: HostEnd): FirewallFamily => {
  const { family, subnet } = pool;
  const gateway = bridgeAddress(pool, settings);
  const snat = settings.snat[family];
  return {
    family,
    subnet,
    mode: settings.modes[family],
    masquerade: settings.masquerade,
    ...defined({ gateway, snat }),
  };
};

const pools = (network: Network): Pool[] =>
  ([4, 6] as const).flatMap((family) => poolOf(network, family) ?? []);

const firewallNetwork = (network: Network, settings: HostEnd): FirewallNetwork => ({
  bridge: settings.bridge,
  internal: network.internal,
  icc: settings.icc,
  ...(settings.owned ? {} : { foreign: true as const }),
  ...defined({ mesh: settings.mesh }),
  ...(settings.trusted.length > 0 ? { trusted: settings.trusted } : {}),
  families: pools(network).map((pool) => firewallFamily(pool, settings)),
});

export const hostSources = (network: Network, settings: HostEnd): readonly string[] =>
  settings.snat[4] === undefined && settings.snat[6] === undefined
    ? []
    : fixedSources(firewallNetwork(network, settings));

export const hostAddresses = (network: Network, settings: HostEnd): AddressObject[] =>
  pools(network).flatMap((pool) => {
    const address = bridgeAddress(pool, settings);
    const bits = pool.subnet.slice(pool.subnet.indexOf('/') + 1);
    return address === undefined
      ? []
      : [{ kind: 'address', ns: 'host', link: settings.bridge, address: `${address}/${bits}` }];
  });

/**
 * The bridge's link-local address is usable at once. While it is tentative (up to two seconds) the kernel sends no
 * neighbour solicitation for packets it forwards, so a published IPv6 port would be dead for as long.
 */
const WITHOUT_DAD: [string, string] = ['ipv6/conf/%/accept_dad', '0'];

/**
 * Without IPv6 the bridge has no IPv6 address at all, not even a link-local one, and never listens to router
 * advertisements of containers. Nothing to say where the kernel has no IPv6, or takes it away (small MTU).
 */
const ipv6Sysctls = ({ network, host }: NetworkView, settings: HostEnd): [string, string][] => {
  if (!host.ipv6 || settings.mtu < MIN_MTU_IPV6) return [];
  const on = network.ipv6 && settings.modes[6] !== 'isolated';
  return [
    ['ipv6/conf/%/disable_ipv6', on ? '0' : '1'],
    ['ipv6/conf/%/accept_ra', '0'],
    ...(on ? [WITHOUT_DAD] : []),
  ];
};

/** Publishing on 127.0.0.1 needs answers to loopback addresses routed back from the bridge; the firewall guards 127/8. */
const ipv4Sysctls = ({ network }: NetworkView, { modes }: HostEnd): [string, string][] =>
  network.ipv4 && !network.internal && modes[4] !== 'routed' ? [['ipv4/conf/%/route_localnet', '1']] : [];

export const hostSysctls = (view: NetworkView, settings: HostEnd): SysctlObject[] =>
  [...ipv6Sysctls(view, settings), ...ipv4Sysctls(view, settings)].map(([path, value]) => ({
    kind: 'sysctl',
    ns: 'host',
    path: `net/${path.replace('%', settings.bridge)}`,
    value,
  }));

/** The firewall's elements of a network confine it: they are there before its bridge and outlive it. */
export const hostGuards = (view: NetworkView, settings: HostEnd): KernelObject[] =>
  networkElements(firewallNetwork(view.network, settings)).map((element) => ({ ...element, guard: true }));

/** The bridge's address, or a router beside the bridge (`--default-gateway`); an isolated bridge has none. */
export const routerOf = (network: Network, { modes }: HostEnd, family: Family): string | undefined => {
  const pool = poolOf(network, family);
  return modes[family] === 'isolated'
    ? undefined
    : (pool?.auxiliary[`DefaultGatewayIPv${family}`] ?? pool?.gateway);
};

/** The pair between the host and a sandbox. `master`: the bridge that the host's end is a port of; empty: the driver plugs it in. */
export const vethPair = (
  { endpoint, sandbox }: EndpointView,
  near: Pick<VethLink, 'mtu' | 'master' | 'hairpin'> & Partial<Pick<VethLink, 'isolated'>>,
): VethLink => ({
  kind: 'link',
  type: 'veth',
  ns: 'host',
  name: endpoint.hostIfname,
  up: true,
  isolated: false,
  ...near,
  peerNs: sandbox.netns,
  peerName: endpoint.ifname,
  peerMac: endpoint.mac,
});

/**
 * Ports of docker_gwbridge, which each container of an overlay has, speak with the host alone: the bridge itself keeps them apart, and no
 * frame of other bridges is asked about it. One with links has a look at each frame, as on other networks whose containers may not
 * talk; so has each port of a bridge that was there before us.
 */
export const isIsolated = ({ network, endpoint }: EndpointView, { icc }: Pick<HostEnd, 'icc'>): boolean =>
  !icc && network.name === GATEWAY_NETWORK && !network.adopted && endpoint.linkedTo.length === 0;

/** The host's end is a bridge port and never speaks for itself. */
export const portSysctls = (
  { endpoint, host }: EndpointView,
  { mtu }: Pick<HostEnd, 'mtu'>,
): SysctlObject[] =>
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

/** Where a relay sends what NAT cannot carry: the container's address of the family if it has one, else the other. */
const relayTarget = ({ ipv4, ipv6 }: Endpoint, family: Family): string | undefined =>
  family === 4 ? (ipv4 ?? ipv6) : (ipv6 ?? ipv4);

/** TCP ports of one address in no order, where they are many: held together, so that both families may share the sockets. */
const isScattered = (bindings: readonly PortBinding[]): boolean =>
  bindings.length >= MANY && bindings[0]?.protocol === 'tcp';

const heldTogether = (bindings: readonly PortBinding[], target: string): HostPortObject[] => {
  const scattered = pairsOf(bindings);
  const [first = 0] = scattered;
  const { hostIp = '' } = bindings[0] ?? {};
  const object = { kind: 'hostport', protocol: 'tcp', address: hostIp, port: hostOf(first) } as const;
  const to = { address: target, port: containerOf(first) };
  return [{ ...object, count: scattered.length, target: to, scattered }];
};

const heldApart = (bindings: readonly PortBinding[], address: string): HostPortObject[] =>
  bindings.map(({ protocol, hostIp, hostPort: port, containerPort, count }) => {
    const target = { address, port: containerPort };
    return { kind: 'hostport', protocol, address: hostIp, port, count, target };
  });

const WILDCARDS: ReadonlySet<string> = new Set(['0.0.0.0', '::']);

/** Those that are the same on every address of both families know it. */
const paired = (objects: readonly HostPortObject[]): HostPortObject[] => {
  const onAll = objects.filter(({ address, count }) => count > 1 && WILDCARDS.has(address));
  const twins = groupBy(onAll, ({ protocol, port, count }) => `${protocol} ${port}+${count}`);
  const both = new Set(
    [...twins.values()].flatMap((group) => {
      const [a, b] = group;
      return a && b && a.address !== b.address && samePairs(a.scattered, b.scattered) ? group : [];
    }),
  );
  return objects.map((o) => (both.has(o) ? { ...o, paired: true } : o));
};

/** Routed networks publish the container's own port: no port of the host is taken. */
export const hostPorts = ({ endpoint, network }: EndpointView, { modes }: HostEnd): HostPortObject[] => {
  if (network.internal) return [];
  const places = groupBy(endpoint.bindings, ({ protocol, hostIp }) => `${protocol} ${hostIp}`);
  return paired(
    [...places.values()].flatMap((bindings) => {
      const family = familyOf(bindings[0]?.hostIp ?? '');
      const target = relayTarget(endpoint, family);
      if (target === undefined || (poolOf(network, family) && modes[family] === 'routed')) return [];
      const hold = isScattered(bindings) ? heldTogether : heldApart;
      return hold(bindings, bare(target));
    }),
  );
};

export const portElements = (view: EndpointView, settings: HostEnd): Led[] => {
  const { endpoint, network, sandbox } = view;
  return endpointElements({
    network: firewallNetwork(network, settings),
    isolated: isIsolated(view, settings),
    hostIfname: endpoint.hostIfname,
    mac: endpoint.mac,
    addresses: [...addressesOf(endpoint), ...endpoint.linkLocal],
    answersFor: endpoint.answersFor ?? [],
    exposed: endpoint.exposed,
    bindings: endpoint.bindings,
    linkedTo: endpoint.linkedTo,
    forwards: forwards(endpoint, sandbox),
    carried: carriedAddresses(endpoint.driverOptions),
  }).map(asGuard);
};
