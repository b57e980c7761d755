/**
 * What every driver with an interface in a sandbox gives that interface: sysctls, addresses and the sandbox's default
 * routes where this endpoint is the way out. The link itself is the driver's. Pure.
 */
import { invalid } from '../errors.js';
import type { Family, Network } from '../model/network.js';
import type { AddressObject, KernelObject, RouteObject, SysctlObject } from '../plan/objects.js';
import type { EndpointView } from './contract.js';
import { endpointSysctls } from './endpoint-options.js';

/** IPv6's least MTU (RFC 8200): below it an interface has no IPv6 and none of its sysctls. */
export const MIN_MTU_IPV6 = 1280;

/** Throws invalid where the network has IPv6 and its MTU (bytes; 0: not known) leaves none. */
export const checkMtu = ({ ipv6 }: Network, mtu: number): void => {
  if (ipv6 && mtu > 0 && mtu < MIN_MTU_IPV6)
    throw invalid(`invalid MTU number: ${mtu}: IPv6 needs at least ${MIN_MTU_IPV6}`);
};

export interface SandboxEnd {
  /** bytes; 0: not known, taken to have room for IPv6 */
  readonly mtu: number;
  /**
   * Where a default route of the family leads: the router's bare address, or `on-link` (ipvlan in l3 mode). undefined:
   * there is no way out. Used where the sandbox has chosen this endpoint as gateway and the network is not internal.
   */
  readonly router: (family: Family) => string | undefined;
}

/**
 * The sandbox's end has IPv6 exactly where the network has, takes no router advertisements, and announces its address
 * when it comes up, so that no neighbour keeps an old MAC. What the user sets by endpoint options wins.
 */
const sysctls = ({ endpoint, sandbox, host }: EndpointView, mtu: number): SysctlObject[] => {
  const { ifname, ipv4, ipv6 } = endpoint;
  const hasIpv6 = host.ipv6 && (mtu === 0 || mtu >= MIN_MTU_IPV6);
  const at = (path: string, value: string): SysctlObject => ({
    kind: 'sysctl',
    ns: sandbox.netns,
    path: `net/${path.replace('%', ifname)}`,
    value,
  });
  const ours = [
    ...(hasIpv6 ? [at('ipv6/conf/%/disable_ipv6', ipv6 === undefined ? '1' : '0')] : []),
    ...(hasIpv6 && ipv6 !== undefined
      ? [at('ipv6/conf/%/accept_ra', '0'), at('ipv6/conf/%/ndisc_notify', '1')]
      : []),
    ...(ipv4 === undefined ? [] : [at('ipv4/conf/%/arp_notify', '1')]),
  ];
  const users = endpointSysctls(endpoint.driverOptions, sandbox.netns, ifname);
  const theirs = new Set(users.map(({ path }) => path));
  return [...ours.filter(({ path }) => !theirs.has(path)), ...users];
};

/** Docker gives `--link-local-ip` these prefix lengths. */
const linkLocalBits = (address: string): number => (address.includes(':') ? 64 : 16);

const addresses = ({ endpoint, sandbox }: EndpointView): AddressObject[] =>
  [
    ...(endpoint.ipv4 === undefined ? [] : [endpoint.ipv4]),
    ...(endpoint.ipv6 === undefined ? [] : [endpoint.ipv6]),
    ...endpoint.linkLocal.map((address) => `${address}/${linkLocalBits(address)}`),
  ].map((address) => ({ kind: 'address', ns: sandbox.netns, link: endpoint.ifname, address }));

const defaultRoute = (view: EndpointView, family: Family, router: SandboxEnd['router']): RouteObject[] => {
  const { endpoint, sandbox, network } = view;
  const chosen = family === 4 ? sandbox.gateway4 : sandbox.gateway6;
  const via = router(family);
  if (chosen !== endpoint.id || network.internal || via === undefined) return [];
  const destination = family === 4 ? '0.0.0.0/0' : '::/0';
  const route = { kind: 'route', ns: sandbox.netns, family, destination, link: endpoint.ifname } as const;
  return [via === 'on-link' ? route : { ...route, via }];
};

export const sandboxEnd = (view: EndpointView, { mtu, router }: SandboxEnd): readonly KernelObject[] => [
  ...sysctls(view, mtu),
  ...addresses(view),
  ...defaultRoute(view, 4, router),
  ...defaultRoute(view, 6, router),
];
