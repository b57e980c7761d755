/**
 * Endpoints of networks in which plugins have a part. Addresses, the driver's answers and the link's name are asked for
 * one after the other; the record that comes out is plain data, from which `drivers/remote.ts` derives the rest. What was
 * asked for is written down as owed; whoever commits the endpoint strikes that off in the same commit.
 */
import { randomBytes } from 'node:crypto';
import { internal, invalid, ViaductError } from '../../errors.js';
import { isOwnIpam } from '../../ipam/own.js';
import { bare, contains, parseAddress, parsePrefix } from '../../model/address.js';
import type { Container } from '../../model/container.js';
import type { Endpoint, RemoteEndpoint } from '../../model/endpoint.js';
import { type EndpointId, freshId } from '../../model/ids.js';
import type { Family, Network } from '../../model/network.js';
import type { OwedCall } from '../../model/owed.js';
import type { Joined, PluginInterface } from '../../plugins/contract.js';
import type { Parts } from '../parts.js';
import { endpointOptions, sandboxOptions } from '../plugins/options.js';
import { networkCall, releaseAddress } from '../plugins/part.js';
import { type Attaching, endpointRecord, familiesOf, interfaceName, ownMac } from './endpoint.js';

const LABEL = {
  name: 'com.docker.network.endpoint.name',
  mac: 'com.docker.network.endpoint.macaddress',
} as const;

interface Addressed extends PluginInterface {
  readonly poolIds: { readonly ipv4?: string; readonly ipv6?: string };
}

/** A MAC nobody has: unicast, locally administered, as libnetwork makes them up. */
const randomMac = (): string =>
  ['02', ...[...randomBytes(5)].map((b) => b.toString(16).padStart(2, '0'))].join(':');

const poolFor = (network: Network, family: Family, requested: string | undefined) => {
  const pools = network.pools.filter((pool) => pool.family === family);
  if (requested === undefined) return pools[0];
  const address = parseAddress(requested);
  const found = pools.find(({ subnet }) => {
    const prefix = parsePrefix(subnet);
    return prefix && address && contains(prefix, address);
  });
  if (!found)
    throw invalid(`invalid address ${requested}: It does not belong to any of this network's subnets`);
  return found;
};

/** No address twice, whatever a plugin says. It keeps the address that it should not have given: another has it. */
const checkUnused = (parts: Parts, network: Network, address: string, said: string): void => {
  const text = bare(address);
  const used =
    parts.model.endpointAt(network.id, text) !== undefined ||
    network.pools.some((pool) => pool.gateway === text || Object.values(pool.auxiliary).includes(text));
  if (used) throw internal(`${said} answered address ${text}, which is in use on network ${network.name}`);
};

class Attachment {
  readonly id = freshId<EndpointId>();
  readonly #calls: OwedCall[] = [];

  constructor(
    private readonly parts: Parts,
    private readonly attaching: Attaching,
  ) {}

  /** Notes what takes the next request, or the last answer, back. */
  #owe(call: OwedCall): void {
    this.#calls.unshift(call);
    const networkId = this.attaching.network.id;
    this.parts.debts.note({ id: this.id, networkId, of: 'endpoint', calls: [...this.#calls] });
  }

  async #pluginAddresses(): Promise<Addressed> {
    const { network, settings, container } = this.attaching;
    const plugin = network.ipam.driver;
    const ipam = await this.parts.plugins.ipam(plugin);
    const mac = settings.mac || (ipam.requiresMac ? randomMac() : '');
    const options = { [LABEL.name]: container.name, ...(ipam.requiresMac ? { [LABEL.mac]: mac } : {}) };
    const ask = async (family: Family, requested: string | undefined) => {
      const pool = poolFor(network, family, requested);
      if (pool?.pluginId === undefined) throw internal(`network ${network.name} has no IPv${family} pool`);
      const address = await ipam.requestAddress(pool.pluginId, requested ?? '', options, family);
      checkUnused(this.parts, network, address, `IPAM driver "${plugin}"`);
      this.#owe(releaseAddress(plugin, pool.pluginId, address));
      return { address, poolId: pool.pluginId };
    };
    const families = familiesOf(this.attaching);
    const v4 = families.ipv4 ? await ask(4, settings.ipv4) : undefined;
    const v6 = families.ipv6 ? await ask(6, settings.ipv6) : undefined;
    return {
      ...(v4 ? { ipv4: v4.address } : {}),
      ...(v6 ? { ipv6: v6.address } : {}),
      ...(mac ? { mac } : {}),
      poolIds: { ...(v4 ? { ipv4: v4.poolId } : {}), ...(v6 ? { ipv6: v6.poolId } : {}) },
    };
  }

  #ownAddresses(): Addressed {
    const { network, settings } = this.attaching;
    const { addresses } = this.parts;
    const families = familiesOf(this.attaching);
    const ipv4 = families.ipv4 ? addresses.take(network, 4, settings.ipv4) : undefined;
    try {
      const ipv6 = families.ipv6 ? addresses.take(network, 6, settings.ipv6) : undefined;
      const { mac } = settings;
      return { ...(ipv4 ? { ipv4 } : {}), ...(ipv6 ? { ipv6 } : {}), ...(mac ? { mac } : {}), poolIds: {} };
    } catch (error) {
      addresses.give(network.id, ipv4);
      throw error;
    }
  }

  async #remote(given: PluginInterface): Promise<{ added: PluginInterface; joined: Joined }> {
    const { network, container, settings, sandbox } = this.attaching;
    const { driver } = network;
    const plugin = await this.parts.plugins.network(driver);
    const body = { NetworkID: network.id, EndpointID: this.id };
    this.#owe(networkCall(driver, 'DeleteEndpoint', body));
    const dns = sandbox.dns.hostServers ? [] : sandbox.dns.servers;
    const options = endpointOptions(container, network, settings, dns);
    const added = await naming(container, network, () =>
      plugin.createEndpoint(network.id, this.id, given, options),
    );
    for (const address of [added.ipv4, added.ipv6])
      if (address !== undefined) checkUnused(this.parts, network, address, `plugin "${driver}"`);
    this.#owe(networkCall(driver, 'Leave', body));
    const joined = await plugin.join(network.id, this.id, sandbox.netns, sandboxOptions(container));
    if (joined.source !== undefined && this.parts.model.endpointOnLink(joined.source))
      throw internal(`plugin "${driver}" answered link ${joined.source}, which belongs to another container`);
    return { added, joined };
  }

  async make(): Promise<Endpoint> {
    const { network, settings, taken, driver } = this.attaching;
    const own = isOwnIpam(network.ipam.driver);
    const given = own ? this.#ownAddresses() : await this.#pluginAddresses();
    const record = endpointRecord(this.attaching, this.id);
    const pools = own ? {} : { poolIds: given.poolIds };
    try {
      if (this.parts.drivers.has(network.driver)) {
        const { ipv4, ipv6 } = given;
        const mac = driver.capabilities.mac ? (given.mac ?? ownMac(this.id, ipv4, ipv6)) : '';
        const hostIfname = driver.capabilities.hostEnd ? `veth${this.id.slice(0, 11)}` : '';
        const ifname = interfaceName(network, settings, taken);
        return { ...record, ifname, hostIfname, mac, ...addresses(given), ...pools };
      }
      const { added, joined } = await this.#remote(given);
      const ifname =
        joined.source === undefined ? '' : interfaceName(network, settings, taken, joined.prefix);
      const has = { ...given, ...added };
      const remote = remoteRecord(joined, has);
      return { ...record, ifname, hostIfname: '', mac: has.mac ?? '', ...addresses(has), ...pools, remote };
    } catch (error) {
      if (own) for (const address of [given.ipv4, given.ipv6]) this.parts.addresses.give(network.id, address);
      throw error;
    }
  }
}

const addresses = ({ ipv4, ipv6 }: PluginInterface) => ({
  ...(ipv4 ? { ipv4 } : {}),
  ...(ipv6 ? { ipv6 } : {}),
});

/** A gateway of a family in which the endpoint has no address is no use; on-link routes to its own subnet are there. */
const remoteRecord = (
  { source, gateway4, gateway6, routes, disableGateway }: Joined,
  has: PluginInterface,
): RemoteEndpoint => ({
  ...(source ? { source } : {}),
  ...(gateway4 && has.ipv4 ? { gateway4 } : {}),
  ...(gateway6 && has.ipv6 ? { gateway6 } : {}),
  routes: routes.filter(({ destination }) => (destination.includes(':') ? has.ipv6 : has.ipv4) !== undefined),
  external: false,
  ...(disableGateway ? { disableGateway } : {}),
});

/** moby's words around a driver that made no endpoint. */
const naming = async <T>(container: Container, network: Network, work: () => Promise<T>): Promise<T> => {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof ViaductError)) throw error;
    const message = `failed to create endpoint ${container.name} on network ${network.name}: ${error.message}`;
    throw new ViaductError(error.kind, message, { cause: error });
  }
};

/**
 * The endpoint's record. What plugins hold for it is owed under its id until it is committed. Rejects when a plugin
 * refuses, after taking back what was asked before.
 */
export const attachWithPlugins = async (parts: Parts, attaching: Attaching): Promise<Endpoint> => {
  await parts.debts.quiet(attaching.network.id);
  const attachment = new Attachment(parts, attaching);
  try {
    return await attachment.make();
  } catch (error) {
    await parts.debts.settle(attachment.id);
    throw error;
  }
};
