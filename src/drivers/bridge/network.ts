/** Slice of a bridge network: the bridge, its addresses and sysctls, its place in the firewall. Pure. */
import type { FirewallFamily, FirewallNetwork } from '../../firewall/contract.js';
import { networkElements } from '../../firewall/index.js';
import { macFromText } from '../../model/mac.js';
import type { Family, Network, Pool } from '../../model/network.js';
import type { AddressObject, KernelObject, SysctlObject } from '../../plan/objects.js';
import type { NetworkView } from '../contract.js';
import { MIN_MTU_IPV6 } from '../sandbox-end.js';
import { type BridgeSettings, bridgeSettings } from './settings.js';

export const poolOf = (network: Network, family: Family): Pool | undefined =>
  (family === 4 ? network.ipv4 : network.ipv6) ? network.pools.find((p) => p.family === family) : undefined;

/** The bridge's own address of the family, bare; undefined where it has none. */
const bridgeAddress = (pool: Pool, settings: BridgeSettings): string | undefined =>
  settings.modes[pool.family] === 'isolated' || (pool.family === 4 && settings.inhibitIpv4)
    ? undefined
    : pool.gateway;

const firewallFamily = (pool: Pool, settings: BridgeSettings): FirewallFamily => {
  const { family, subnet } = pool;
  const gateway = bridgeAddress(pool, settings);
  const snat = settings.snat[family];
  return {
    family,
    subnet,
    mode: settings.modes[family],
    masquerade: settings.masquerade,
    ...(gateway === undefined ? {} : { gateway }),
    ...(snat === undefined ? {} : { snat }),
  };
};

const pools = (network: Network): Pool[] =>
  ([4, 6] as const).flatMap((family) => poolOf(network, family) ?? []);

export const firewallNetwork = (network: Network, settings: BridgeSettings): FirewallNetwork => ({
  bridge: settings.bridge,
  internal: network.internal,
  icc: settings.icc,
  ...(settings.trusted.length > 0 ? { trusted: settings.trusted } : {}),
  families: pools(network).map((pool) => firewallFamily(pool, settings)),
});

const addresses = (network: Network, settings: BridgeSettings): AddressObject[] =>
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
const ipv6Sysctls = ({ network, host }: NetworkView, settings: BridgeSettings): [string, string][] => {
  if (!host.ipv6 || settings.mtu < MIN_MTU_IPV6) return [];
  const on = network.ipv6 && settings.modes[6] !== 'isolated';
  return [
    ['ipv6/conf/%/disable_ipv6', on ? '0' : '1'],
    ['ipv6/conf/%/accept_ra', '0'],
    ...(on ? [WITHOUT_DAD] : []),
  ];
};

/** Publishing on 127.0.0.1 needs answers to loopback addresses routed back from the bridge; the firewall guards 127/8. */
const ipv4Sysctls = ({ network }: NetworkView, { modes }: BridgeSettings): [string, string][] =>
  network.ipv4 && !network.internal && modes[4] !== 'routed' ? [['ipv4/conf/%/route_localnet', '1']] : [];

const sysctls = (view: NetworkView, settings: BridgeSettings): SysctlObject[] =>
  [...ipv6Sysctls(view, settings), ...ipv4Sysctls(view, settings)].map(([path, value]) => ({
    kind: 'sysctl',
    ns: 'host',
    path: `net/${path.replace('%', settings.bridge)}`,
    value,
  }));

/** The firewall's elements of a network confine it: they are there before its bridge and outlive it. */
const guarded = (view: NetworkView, settings: BridgeSettings): KernelObject[] =>
  networkElements(firewallNetwork(view.network, settings)).map((element) => ({ ...element, guard: true }));

export const network = (view: NetworkView): readonly KernelObject[] => {
  const settings = bridgeSettings(view.network, view.host);
  const { bridge: name, mtu, owned } = settings;
  return [
    {
      kind: 'link',
      type: 'bridge',
      ns: 'host',
      name,
      // A fixed MAC: on an automatic one permanent neighbours vanish when a port joins.
      mac: macFromText(`bridge ${view.network.id}`),
      mtu,
      up: true,
      owned,
    },
    ...sysctls(view, settings),
    ...addresses(view.network, settings),
    ...guarded(view, settings),
  ];
};
