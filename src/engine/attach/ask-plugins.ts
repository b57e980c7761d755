/**
 * An endpoint's allocation where plugins have a part in its network: addresses, the driver's answers and the link's name are
 * asked for one after the other. What comes out is plain data, from which `drivers/plugin.ts` derives the rest.
 */

import { randomBytes } from 'node:crypto';
import { defined } from '../../defined.js';
import { internal, invalid, reworded } from '../../errors.js';
import { isOwnIpam } from '../../ipam/own.js';
import { bare } from '../../model/address.js';
import type { PluginEndpoint } from '../../model/endpoint.js';
import type { Family, Network } from '../../model/network.js';
import type { OwedCall } from '../../model/owed.js';
import { poolHolding } from '../../model/pool.js';
import type { Joined } from '../../plugins/contract.js';
import type { Outside } from '../parts.js';
import { endpointOptions, sandboxOptions } from '../plugins/options.js';
import { networkCall, releaseAddress } from '../plugins/owed-calls.js';
import type { View } from '../view.js';
import { allocateOwn, isTaken } from './allocate.js';
import type { Allocation, EndpointDesign } from './design.js';

type Asking = Pick<View, 'model' | 'drivers'> & Pick<Outside, 'plugins'>;
/** Notes what takes the next request, or the last answer, back. */
type Owe = (call: OwedCall) => void;

const LABEL = {
  name: 'com.docker.network.endpoint.name',
  mac: 'com.docker.network.endpoint.macaddress',
} as const;

/** A MAC nobody has: unicast, locally administered, as libnetwork makes them up. */
const randomMac = (): string =>
  ['02', ...[...randomBytes(5)].map((b) => b.toString(16).padStart(2, '0'))].join(':');

const poolFor = (network: Network, family: Family, requested: string | undefined) => {
  if (requested === undefined) return network.pools.find((pool) => pool.family === family);
  const found = poolHolding(network, requested);
  if (!found)
    throw invalid(`invalid address ${requested}: It does not belong to any of this network's subnets`);
  return found;
};

/** No address twice, whatever a plugin says. It keeps the address that it should not have given: another has it. */
const checkUnused = (view: Asking, network: Network, address: string, said: string): void => {
  if (isTaken(view, network, address))
    throw internal(`${said} answered address ${bare(address)}, which is in use on network ${network.name}`);
};

const pluginAddresses = async (parts: Asking, design: EndpointDesign, owe: Owe): Promise<Allocation> => {
  const { network, settings, container } = design;
  const plugin = network.ipam.driver;
  const ipam = await parts.plugins.ipam(plugin);
  const mac = settings.mac || (ipam.requiresMac ? randomMac() : '');
  const options = { [LABEL.name]: container.name, ...(ipam.requiresMac ? { [LABEL.mac]: mac } : {}) };
  const ask = async (family: Family, requested: string | undefined) => {
    const pool = poolFor(network, family, requested);
    if (pool?.pluginId === undefined) throw internal(`network ${network.name} has no IPv${family} pool`);
    const address = await ipam.requestAddress(pool.pluginId, requested ?? '', options, family);
    checkUnused(parts, network, address, `IPAM driver "${plugin}"`);
    owe(releaseAddress(plugin, pool.pluginId, address));
    return { address, poolId: pool.pluginId };
  };
  const v4 = design.ipv4 ? await ask(4, settings.ipv4) : undefined;
  const v6 = design.ipv6 ? await ask(6, settings.ipv6) : undefined;
  return {
    ...defined({ ipv4: v4?.address, ipv6: v6?.address, mac: mac || undefined }),
    poolIds: defined({ ipv4: v4?.poolId, ipv6: v6?.poolId }),
  };
};

/** A gateway of a family in which the endpoint has no address is no use; on-link routes to its own subnet are there. */
const answerOf = (
  { source, gateway4, gateway6, routes, disableGateway }: Joined,
  has: Allocation,
): PluginEndpoint => ({
  ...defined({
    source: source || undefined,
    gateway4: has.ipv4 ? gateway4 || undefined : undefined,
    gateway6: has.ipv6 ? gateway6 || undefined : undefined,
  }),
  routes: routes.filter(({ destination }) => (destination.includes(':') ? has.ipv6 : has.ipv4) !== undefined),
  external: false,
  ...(disableGateway ? { disableGateway } : {}),
});

/** The driver's answers, on top of what was allocated. */
const askDriver = async (
  parts: Asking,
  { id, network, container, settings, sandbox }: EndpointDesign,
  given: Allocation,
  owe: Owe,
): Promise<Allocation> => {
  const { driver } = network;
  const plugin = await parts.plugins.network(driver);
  const body = { NetworkID: network.id, EndpointID: id };
  owe(networkCall(driver, 'DeleteEndpoint', body));
  const dns = sandbox.dns.hostServers ? [] : sandbox.dns.servers;
  const options = endpointOptions(container, network, settings, dns);
  const added = await plugin.createEndpoint(network.id, id, given, options).catch((error: unknown) => {
    const what = `failed to create endpoint ${container.name} on network ${network.name}`;
    throw reworded(error, (message) => `${what}: ${message}`);
  });
  for (const address of [added.ipv4, added.ipv6])
    if (address !== undefined) checkUnused(parts, network, address, `plugin "${driver}"`);
  owe(networkCall(driver, 'Leave', body));
  const joined = await plugin.join(network.id, id, sandbox.netns, sandboxOptions(container));
  if (joined.source !== undefined && parts.model.endpointOnLink(joined.source))
    throw internal(`plugin "${driver}" answered link ${joined.source}, which belongs to another container`);
  const has = { ...given, ...added };
  return {
    ...has,
    plugin: answerOf(joined, has),
    ...defined({ prefix: joined.prefix }),
  };
};

export const askPlugins = async (parts: Asking, design: EndpointDesign, owe: Owe): Promise<Allocation> => {
  const { network, settings } = design;
  const given = isOwnIpam(network.ipam.driver)
    ? { ...allocateOwn(parts, design), ...(settings.mac ? { mac: settings.mac } : {}) }
    : await pluginAddresses(parts, design, owe);
  return parts.drivers.has(network.driver) ? given : askDriver(parts, design, given, owe);
};
