/** Endpoints and sandboxes of one container, built from what the user asked. Pure but for the addresses taken. */

import type { Driver } from '../../drivers/contract.js';
import { checkEndpointOptions } from '../../drivers/endpoint-options.js';
import { conflict, forbidden, invalid } from '../../errors.js';
import { macFromAddress, parseMac } from '../../ipam/mac.js';
import { requestedAddresses } from '../../ipam/requested.js';
import { bare } from '../../model/address.js';
import type { Container, EndpointSettings } from '../../model/container.js';
import type { Endpoint, LinkedPort, Sandbox } from '../../model/endpoint.js';
import { type EndpointId, freshId, shortId } from '../../model/ids.js';
import { macFromText } from '../../model/mac.js';
import type { Network } from '../../model/network.js';
import type { Change } from '../commit/tables.js';
import type { Addresses } from './addresses.js';
import { answersFor, bindingsOf, gateways, type Member } from './gateways.js';
import { parseLink } from './links.js';
import { exposedPorts } from './publish.js';
import { takesIpv6 } from './sysctls.js';

export interface Attaching {
  readonly container: Container;
  readonly network: Network;
  readonly settings: EndpointSettings;
  readonly sandbox: Sandbox;
  /** interface names of the sandbox that are taken */
  readonly taken: ReadonlySet<string>;
  readonly linkedTo: readonly LinkedPort[];
  readonly driver: Driver;
}

const PREFIX_OPTION = 'com.docker.network.container_iface_prefix';
const IFNAME_OPTION = 'com.docker.network.endpoint.ifname';

/** `wanted`: what a plugin wants names to begin with. */
export const interfaceName = (
  network: Network,
  settings: EndpointSettings,
  taken: ReadonlySet<string>,
  wanted?: string,
): string => {
  const asked = settings.driverOptions[IFNAME_OPTION];
  if (asked) {
    if (taken.has(asked))
      throw conflict(
        `error renaming interface to "${asked}": file exists: another interface of this container has that name`,
      );
    return asked;
  }
  const prefix = wanted ?? (network.options[PREFIX_OPTION] || 'eth');
  for (let n = 0; ; n += 1) if (!taken.has(`${prefix}${n}`)) return `${prefix}${n}`;
};

/** The default bridge resolves no names; elsewhere the container's name comes first (PTR answers it). */
const dnsNames = (container: Container, network: Network, settings: EndpointSettings): readonly string[] => {
  if (network.predefined) return [];
  const names = [container.name, ...settings.aliases, shortId(container.id), container.config.Hostname];
  return [...new Set(names.filter((name) => name !== ''))];
};

/** All of an endpoint that does not depend on its addresses or interface. */
export const endpointRecord = (
  { container, network, settings, sandbox, linkedTo }: Attaching,
  id: EndpointId,
): Omit<Endpoint, 'ifname' | 'hostIfname' | 'mac'> => ({
  id,
  networkId: network.id,
  sandboxId: sandbox.id,
  containerId: container.id,
  containerName: container.name,
  linkLocal: settings.linkLocal,
  dnsNames: dnsNames(container, network, settings),
  aliases: settings.aliases,
  driverOptions: settings.driverOptions,
  gwPriority: settings.gwPriority,
  exposed: exposedPorts(container.config, container.hostConfig),
  bindings: [],
  linkedTo,
});

/** The MAC that goes with an endpoint's addresses; with its id where it has none. */
export const ownMac = (id: EndpointId, ipv4: string | undefined, ipv6: string | undefined): string => {
  const address = ipv4 ?? ipv6;
  return address === undefined ? macFromText(`endpoint ${id}`) : macFromAddress(bare(address));
};

/** The families in which the endpoint gets an address: the network's, without IPv6 where the user's sysctls take it away. */
export const familiesOf = ({ network, sandbox, settings }: Attaching): Pick<Network, 'ipv4' | 'ipv6'> => ({
  ipv4: network.ipv4,
  ipv6: network.ipv6 && takesIpv6(sandbox, settings),
});

/** Takes addresses; give them back with `releaseAddresses` when the endpoint does not come to be. */
export const buildEndpoint = (attaching: Attaching, addresses: Addresses): Endpoint => {
  const { network, settings, driver } = attaching;
  const id = freshId<EndpointId>();
  const common = endpointRecord(attaching, id);
  if (!driver.capabilities.mac && driver.capabilities.interfaces && settings.mac !== '')
    throw invalid(`${driver.name} interfaces do not support custom mac address assignment`);
  if (!driver.capabilities.interfaces) return { ...common, ifname: '', hostIfname: '', mac: '' };
  const ifname = interfaceName(network, settings, attaching.taken);
  const families = familiesOf(attaching);
  const ipv4 = families.ipv4 ? addresses.take(network, 4, settings.ipv4) : undefined;
  try {
    const ipv6 = families.ipv6 ? addresses.take(network, 6, settings.ipv6) : undefined;
    const mac = driver.capabilities.mac ? settings.mac || ownMac(id, ipv4, ipv6) : '';
    const hostIfname = driver.capabilities.hostEnd ? `veth${id.slice(0, 11)}` : '';
    return { ...common, ifname, hostIfname, mac, ...(ipv4 ? { ipv4 } : {}), ...(ipv6 ? { ipv6 } : {}) };
  } catch (error) {
    addresses.give(network.id, ipv4);
    throw error;
  }
};

export const releaseAddresses = (endpoint: Endpoint, addresses: Addresses): void => {
  addresses.give(endpoint.networkId, endpoint.ipv4);
  addresses.give(endpoint.networkId, endpoint.ipv6);
};

/** The sandbox and its endpoints with gateways chosen and published ports on them; only what changed, as changes. */
export const arrange = (sandbox: Sandbox, members: readonly Member[]): readonly Change[] => {
  const chosen = gateways(members);
  const changes: Change[] = [{ table: 'sandbox', id: sandbox.id, value: { ...sandbox, ...chosen } }];
  for (const member of members) {
    const { endpoint, driver } = member;
    const { answersFor: _, ...rest } = endpoint;
    const others = answersFor(member, chosen, members);
    const bindings = driver.capabilities.ports ? bindingsOf(member, chosen, sandbox.bindings) : [];
    changes.push({
      table: 'endpoint',
      id: endpoint.id,
      value: { ...rest, bindings, ...(others.length > 0 ? { answersFor: others } : {}) },
    });
  }
  return changes;
};

/** What the user wrote, made canonical: addresses, MAC, driver options. Throws invalid with moby's words. */
export const canonicalSettings = (settings: EndpointSettings): EndpointSettings => {
  checkEndpointOptions(settings.driverOptions);
  const { linkLocal, ipv4, ipv6 } = requestedAddresses(settings);
  const { ipv4: _4, ipv6: _6, ...rest } = settings;
  const mac = settings.mac === '' ? '' : parseMac(settings.mac);
  return { ...rest, mac, linkLocal, ...(ipv4 ? { ipv4 } : {}), ...(ipv6 ? { ipv6 } : {}) };
};

/** Docker's rules on what may be asked of an endpoint, before anything is taken. */
export const checkSettings = (
  network: Network,
  settings: EndpointSettings,
  driver: Driver | undefined,
): void => {
  driver?.checkEndpoint?.(settings.driverOptions);
  settings.links.forEach(parseLink);
  const fixed = settings.ipv4 !== undefined || settings.ipv6 !== undefined;
  if (network.predefined && settings.aliases.length > 0)
    throw invalid('network-scoped aliases are only supported for user-defined networks');
  if (network.predefined && fixed)
    throw invalid('user-specified IP address is supported on user-defined networks only');
  if (network.configOnly)
    throw forbidden(`configuration-only network ${network.name} cannot be connected to`);
  for (const [address, on] of [
    [settings.ipv4, network.ipv4],
    [settings.ipv6, network.ipv6],
  ] as const)
    if (address !== undefined && !on)
      throw invalid(`invalid endpoint settings:\nno configured subnet contains IP address ${address}`);
};
