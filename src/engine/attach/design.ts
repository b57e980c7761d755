/** What a container's sandbox and endpoints are to be, and their records once addresses are known. Pure. */
import { isIPv6 } from 'node:net';
import { defined } from '../../defined.js';
import { dnsOverrides, sandboxDns } from '../../dns/resolv-conf.js';
import type { Driver } from '../../drivers/contract.js';
import { driverOf } from '../../drivers/index.js';
import { conflict, invalid } from '../../errors.js';
import { macFromAddress } from '../../ipam/mac.js';
import { bare } from '../../model/address.js';
import type { Container, EndpointSettings } from '../../model/container.js';
import type { Endpoint, LinkedPort, PluginEndpoint, Sandbox, SandboxDns } from '../../model/endpoint.js';
import { type EndpointId, type SandboxId, shortId } from '../../model/ids.js';
import { macFromText } from '../../model/mac.js';
import type { Network } from '../../model/network.js';
import { type Fresh, idFor } from '../decision.js';
import type { View } from '../view.js';
import { linkedPorts } from './links.js';
import { exposedPorts } from './publish.js';
import { checkSettings } from './settings.js';
import { linkTargets, usesHost } from './standing.js';
import { takesIpv6 } from './sysctls.js';

/** What the embedded resolver is told. `embedded`: some network of the sandbox resolves names; else it has the host's servers. */
export const resolverSettings = (
  { facts, config }: Pick<View, 'facts' | 'config'>,
  { hostConfig }: Container,
  embedded: boolean,
): SandboxDns =>
  sandboxDns(facts.resolvConf(embedded ? 'embedded' : 'legacy'), dnsOverrides(hostConfig, config), embedded);

export const designSandbox = (
  view: View,
  fresh: Fresh,
  container: Container,
  networks: readonly Network[],
): Sandbox => {
  const id = idFor<SandboxId>(fresh, 'sandbox');
  const host = usesHost(container);
  return {
    id,
    containerId: container.id,
    netns: host ? '' : `${view.config.execRoot}/netns/${id.slice(0, 12)}`,
    mode: host ? 'host' : 'private',
    gateway4: null,
    gateway6: null,
    bindings: [], // decided with the endpoints
    sysctls: container.hostConfig.Sysctls ?? {},
    ...(container.hostConfig.Privileged ? { privileged: true } : {}),
    dns: resolverSettings(
      view,
      container,
      networks.some((n) => !n.predefined),
    ),
  };
};

/** An endpoint as it is to be, before it has addresses. */
export interface EndpointDesign {
  readonly id: EndpointId;
  readonly container: Container;
  readonly network: Network;
  readonly settings: EndpointSettings;
  readonly sandbox: Sandbox;
  readonly driver: Driver;
  /** interface names of the sandbox that are taken */
  readonly taken: ReadonlySet<string>;
  /** whether it is to have an address of the family: as the network, but for IPv6 where the user's sysctls take it away */
  readonly ipv4: boolean;
  readonly ipv6: boolean;
  readonly linkedTo: readonly LinkedPort[];
}

/** What an endpoint is given, by whomever: this daemon, plugins, a cluster's store. */
export interface Allocation extends Pick<Endpoint, 'ipv4' | 'ipv6' | 'poolIds'> {
  /** absent: the user's, or what goes with the addresses */
  readonly mac?: string;
  /** what a third-party driver answered, and what it wants the interface's name to begin with */
  readonly plugin?: PluginEndpoint;
  readonly prefix?: string;
}

/** What the endpoint on the network will be called. */
export const endpointIdFor = (fresh: Fresh, network: Network): EndpointId =>
  idFor(fresh, `endpoint ${network.id}`);

/** Throws what Docker refuses of the settings. `before`: the other endpoints of the sandbox, also those that go now. */
export const designEndpoint = (
  view: Pick<View, 'model' | 'drivers'>,
  fresh: Fresh,
  { sandbox, container }: Pick<EndpointDesign, 'sandbox' | 'container'>,
  network: Network,
  settings: EndpointSettings,
  before: readonly Endpoint[],
): EndpointDesign => {
  const driver = driverOf(network, view.drivers);
  checkSettings(network, settings, view.drivers.get(network.driver));
  if (!driver.capabilities.mac && driver.capabilities.interfaces && settings.mac !== '')
    throw invalid(`${driver.name} interfaces do not support custom mac address assignment`);
  const ipv6 = network.ipv6 && takesIpv6(sandbox, settings);
  // The kernel gives no IPv6 address to an interface that has none (EACCES).
  const linkLocal = ipv6 ? undefined : settings.linkLocal.find(isIPv6);
  if (linkLocal !== undefined)
    throw invalid(
      `invalid endpoint settings:\nlink-local address ${linkLocal}: container ${container.name} has no IPv6 on network ${network.name}`,
    );
  return {
    id: endpointIdFor(fresh, network),
    container,
    network,
    settings,
    sandbox,
    driver,
    taken: new Set(before.map(({ ifname }) => ifname)),
    ipv4: network.ipv4,
    ipv6,
    linkedTo: linkedPorts(linkTargets(view, container, network)),
  };
};

const PREFIX_OPTION = 'com.docker.network.container_iface_prefix';
const IFNAME_OPTION = 'com.docker.network.endpoint.ifname';

/** `wanted`: what a plugin wants names to begin with. */
const interfaceName = ({ network, settings, taken }: EndpointDesign, wanted?: string): string => {
  const asked = settings.driverOptions[IFNAME_OPTION];
  if (asked && taken.has(asked))
    throw conflict(
      `error renaming interface to "${asked}": file exists: another interface of this container has that name`,
    );
  if (asked) return asked;
  const prefix = wanted ?? (network.options[PREFIX_OPTION] || 'eth');
  for (let n = 0; ; n += 1) if (!taken.has(`${prefix}${n}`)) return `${prefix}${n}`;
};

/** Neither the default bridge nor the ingress network resolves names; elsewhere the container's comes first (PTR answers it). */
const dnsNames = ({ container, network, settings }: EndpointDesign): readonly string[] => {
  if (network.predefined || network.ingress) return [];
  const names = [container.name, ...settings.aliases, shortId(container.id), container.config.Hostname];
  return [...new Set(names.filter((name) => name !== ''))];
};

/** The MAC that goes with an endpoint's addresses; with its id where it has none. */
const ownMac = ({ id }: EndpointDesign, { ipv4, ipv6 }: Allocation): string => {
  const address = ipv4 ?? ipv6;
  return address === undefined ? macFromText(`endpoint ${id}`) : macFromAddress(bare(address));
};

/** Names and MAC of its interface; a third-party driver's word on the MAC is the last, and it may make no interface. */
const interfaceOf = (
  design: EndpointDesign,
  allocation: Allocation,
): Pick<Endpoint, 'ifname' | 'hostIfname' | 'mac'> => {
  const { id, settings, driver } = design;
  const { plugin, prefix } = allocation;
  const { interfaces, mac, hostEnd } = driver.capabilities;
  if (!interfaces) return { ifname: '', hostIfname: '', mac: '' };
  const ifname = plugin && plugin.source === undefined ? '' : interfaceName(design, prefix);
  const asked = allocation.mac ?? settings.mac;
  if (plugin) return { ifname, hostIfname: '', mac: asked };
  return {
    ifname,
    hostIfname: hostEnd ? `veth${id.slice(0, 11)}` : '',
    mac: mac ? asked || ownMac(design, allocation) : '',
  };
};

export const endpointOf = (design: EndpointDesign, allocation: Allocation): Endpoint => {
  const { id, container, network, settings, sandbox, linkedTo } = design;
  const { ipv4, ipv6, poolIds, plugin } = allocation;
  return {
    id,
    networkId: network.id,
    sandboxId: sandbox.id,
    containerId: container.id,
    containerName: container.name,
    linkLocal: settings.linkLocal,
    dnsNames: dnsNames(design),
    aliases: settings.aliases,
    driverOptions: settings.driverOptions,
    gwPriority: settings.gwPriority,
    exposed: exposedPorts(container.config, container.hostConfig),
    bindings: [],
    linkedTo,
    ...interfaceOf(design, allocation),
    ...defined({ ipv4, ipv6, poolIds, plugin, assigned: settings.assigned }),
  };
};
