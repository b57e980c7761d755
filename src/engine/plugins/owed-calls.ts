/** Which networks third-party plugins have a part in, and what the plugins of a record are told when it goes. Pure. */
import { isOwnIpam } from '../../ipam/own.js';
import { bare } from '../../model/address.js';
import type { EndpointSettings } from '../../model/container.js';
import type { Endpoint } from '../../model/endpoint.js';
import type { Network, Pool } from '../../model/network.js';
import type { Owed, OwedCall } from '../../model/owed.js';
import type { MovedLink } from '../../plan/objects.js';
import { clusterCalls } from '../cluster.js';
import type { View } from '../view.js';

interface Drivers {
  readonly driver: string;
  readonly ipam: { readonly driver: string };
}

export const usesPlugins = ({ drivers }: Pick<View, 'drivers'>, { driver, ipam }: Drivers): boolean =>
  !drivers.has(driver) || !isOwnIpam(ipam.driver);

/** Must somebody else be asked for each endpoint on the network: a plugin, or the store of a cluster? */
export const asksOthers = (
  view: Pick<View, 'drivers'>,
  network: Drivers & Pick<Network, 'overlay'>,
  { assigned }: Pick<EndpointSettings, 'assigned'> = {},
): boolean => (network.overlay !== undefined && !assigned) || usesPlugins(view, network);

const ipamCall = (plugin: string, method: string, body: OwedCall['body']): OwedCall => ({
  plugin,
  method: `IpamDriver.${method}`,
  body,
});

export const networkCall = (plugin: string, method: string, body: OwedCall['body']): OwedCall => ({
  plugin,
  method: `NetworkDriver.${method}`,
  body,
});

/** Gives back an address of a plugin's pool. */
export const releaseAddress = (plugin: string, poolId: string, address: string): OwedCall =>
  ipamCall(plugin, 'ReleaseAddress', { PoolID: poolId, Address: bare(address) });

export const releasePool = (plugin: string, poolId: string): OwedCall =>
  ipamCall(plugin, 'ReleasePool', { PoolID: poolId });

const poolCalls = (plugin: string, { pluginId, gateway, auxiliary }: Pool): readonly OwedCall[] =>
  pluginId === undefined
    ? []
    : [
        ...[...(gateway === undefined ? [] : [gateway]), ...Object.values(auxiliary)].map((address) =>
          releaseAddress(plugin, pluginId, address),
        ),
        releasePool(plugin, pluginId),
      ];

/** What the plugins of a network that goes are owed; undefined: none has a part in it. */
export const owedForNetwork = (view: Pick<View, 'drivers'>, network: Network): Owed | undefined => {
  if (network.configOnly || !usesPlugins(view, network)) return undefined;
  const { id, driver, ipam, pools } = network;
  const calls = [
    ...(view.drivers.has(driver) ? [] : [networkCall(driver, 'DeleteNetwork', { NetworkID: id })]),
    ...pools.flatMap((pool) => poolCalls(ipam.driver, pool)),
  ];
  return { id, networkId: id, of: 'network', calls };
};

/** Which pool of the plugin an address was asked of, by address with prefix length. */
const pluginPools = (
  network: Network,
  { ipv4, ipv6, poolIds }: Endpoint,
): readonly (readonly [string, string])[] =>
  [ipv4, ipv6].flatMap((address, i) => {
    const poolId = poolIds?.[i === 0 ? 'ipv4' : 'ipv6'];
    return address === undefined || poolId === undefined || isOwnIpam(network.ipam.driver)
      ? []
      : [[address, poolId]];
  });

/** What the plugins of an endpoint that goes are owed, in libnetwork's order; undefined: none has a part in it. */
export const owedForEndpoint = (
  view: Pick<View, 'model' | 'drivers'>,
  network: Network,
  endpoint: Endpoint,
): Owed | undefined => {
  if (endpoint.assigned) return undefined;
  if (network.overlay)
    return {
      id: endpoint.id,
      networkId: network.id,
      of: 'endpoint',
      calls: [clusterCalls.releaseEndpoint(network.id, endpoint)],
    };
  if (!usesPlugins(view, network)) return undefined;
  const { driver, ipam } = network;
  const body = { NetworkID: network.id, EndpointID: endpoint.id };
  const driverCalls = view.drivers.has(driver)
    ? []
    : [
        ...(endpoint.plugin?.external ? [networkCall(driver, 'RevokeExternalConnectivity', body)] : []),
        networkCall(driver, 'Leave', body),
        networkCall(driver, 'DeleteEndpoint', body),
      ];
  const addresses = pluginPools(network, endpoint).map(([address, poolId]) =>
    releaseAddress(ipam.driver, poolId, address),
  );
  const { id, ifname, plugin } = endpoint;
  const netns = view.model.sandboxOf(endpoint)?.netns;
  const link = netns && plugin?.source ? { link: { netns, name: ifname, source: plugin.source } } : {};
  return { id, networkId: network.id, of: 'endpoint', calls: [...driverCalls, ...addresses], ...link };
};

/** The links of plugins that are in sandboxes, or were when a record went: what the kernel is searched for. */
export const movedLinks = (model: View['model']): readonly MovedLink[] => {
  const moved = (ns: string, name: string, source: string, mac: string): MovedLink => ({
    kind: 'link',
    type: 'moved',
    ns,
    name,
    source,
    mac,
    mtu: 0,
    up: true,
  });
  const wanted = [...model.endpoints.values()].flatMap((endpoint) => {
    const { plugin, ifname, mac } = endpoint;
    const netns = model.sandboxOf(endpoint)?.netns;
    return netns && plugin?.source ? [moved(netns, ifname, plugin.source, mac)] : [];
  });
  const left = [...model.owed.values()].flatMap(({ link }) =>
    link ? [moved(link.netns, link.name, link.source, '')] : [],
  );
  return [...wanted, ...left];
};
