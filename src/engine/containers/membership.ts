/** A container's sandbox and endpoints coming and going: join at start, leave at exit, connect and disconnect between. */
import type { Driver } from '../../drivers/contract.js';
import { remote } from '../../drivers/index.js';
import { forbidden, internal, invalid, notFound, PortError } from '../../errors.js';
import type { Container, EndpointSettings } from '../../model/container.js';
import type { Endpoint, Sandbox, SandboxDns } from '../../model/endpoint.js';
import { freshId, type SandboxId } from '../../model/ids.js';
import type { Network } from '../../model/network.js';
import type { Change } from '../../store/store.js';
import { type Attaching, arrange, buildEndpoint, checkSettings, releaseAddresses } from '../attachment.js';
import type { Member } from '../gateways.js';
import { networkEvent } from '../networks.js';
import type { Parts } from '../parts.js';
import { owedForEndpoint } from '../plugins/part.js';
import { resolveBindings } from '../publish.js';
import { dnsOf } from './etc.js';
import { type LinkTarget, linkedPorts, parseLink } from './links.js';

const SHARED = 'container:';
export const sharesWith = (container: Container): string | undefined =>
  container.hostConfig.NetworkMode.startsWith(SHARED)
    ? container.hostConfig.NetworkMode.slice(SHARED.length)
    : undefined;

export const usesHost = (container: Container): boolean => container.hostConfig.NetworkMode === 'host';

/** What is not built in is a plugin's. */
const driverOf = (parts: Parts, network: Network): Driver => parts.drivers.get(network.driver) ?? remote;

/** Where the network wants interfaces (host and null networks have none). */
const hasInterfaces = (parts: Parts, network: Network): boolean =>
  parts.drivers.get(network.driver)?.capabilities.interfaces === true;

export const networkOf = (parts: Parts, entry: Container['networks'][number]): Network => {
  const network = parts.model.networks.get(entry.networkId) ?? parts.model.findNetwork(entry.name);
  if (!network) throw notFound(`network ${entry.name} not found`);
  return network;
};

/** The running containers that this one links to, with the endpoint each has on the network. */
export const linkTargets = (parts: Parts, container: Container, network: Network): readonly LinkTarget[] =>
  (container.hostConfig.Links ?? []).flatMap((text) => {
    const { source, alias } = parseLink(text);
    const target = parts.model.findContainer(source);
    const endpoint =
      target && parts.model.endpointsOfNetwork(network.id).find((e) => e.containerId === target.id);
    return target && endpoint ? [{ alias, container: target, endpoint }] : [];
  });

const dnsLinks = (parts: Parts, container: Container): Readonly<Record<string, string>> => {
  const texts = [
    ...(container.hostConfig.Links ?? []),
    ...container.networks.flatMap((n) => n.settings.links),
  ];
  return Object.fromEntries(
    texts
      .map(parseLink)
      .map(({ source, alias }) => [
        alias.toLowerCase(),
        (parts.model.findContainer(source)?.name ?? source).toLowerCase(),
      ]),
  );
};

const sandboxDns = (parts: Parts, container: Container, embedded: boolean): SandboxDns =>
  dnsOf(parts, container, embedded, dnsLinks(parts, container));

const HOST_BINDING = 'com.docker.network.bridge.host_binding_ipv4';

/** Where `-p` names no address: the network's own, else the daemon's `--ip`. */
const publishedBy = (parts: Parts, { config, hostConfig }: Container, networks: readonly Network[]) => {
  const hostIp = networks.flatMap((n) => n.options[HOST_BINDING] || [])[0] ?? parts.host.hostIp;
  return resolveBindings(config, hostConfig, { ...parts.host, hostIp }, parts.freePort);
};

const newSandbox = (parts: Parts, container: Container, networks: readonly Network[]): Sandbox => {
  const id = freshId<SandboxId>();
  const host = usesHost(container);
  return {
    id,
    containerId: container.id,
    netns: host ? '' : `${parts.config.execRoot}/netns/${id.slice(0, 12)}`,
    mode: host ? 'host' : 'private',
    gateway4: null,
    gateway6: null,
    // Also where no network publishes: one that does may be connected later.
    bindings:
      !host && networks.some((n) => hasInterfaces(parts, n)) ? publishedBy(parts, container, networks) : [],
    sysctls: container.hostConfig.Sysctls ?? {},
    dns: sandboxDns(
      parts,
      container,
      networks.some((n) => !n.predefined),
    ),
  };
};

/** What an endpoint is made from; `taken`: the sandbox's interface names. */
const attachingOf = (
  parts: Parts,
  sandbox: Sandbox,
  container: Container,
  network: Network,
  settings: EndpointSettings,
  taken: ReadonlySet<string>,
): Attaching => {
  checkSettings(network, settings, parts.drivers.get(network.driver));
  const driver = driverOf(parts, network);
  const linkedTo = linkedPorts(linkTargets(parts, container, network));
  return { container, network, settings, sandbox, taken, driver, linkedTo };
};

/** A user's MAC of `docker run --mac-address` belongs to the first network. */
const settingsOf = (container: Container, index: number): EndpointSettings => {
  const settings = container.networks[index]?.settings;
  if (!settings) throw internal(`container ${container.name} has no network ${index}`);
  const mac = index === 0 ? container.config.MacAddress : undefined;
  return mac && !settings.mac ? { ...settings, mac } : settings;
};

/**
 * Makes the sandbox and all endpoints of a starting container. Answers the container's record with them. `meanwhile`: as
 * of `Ledger.commit`.
 */
export const join = (
  parts: Parts,
  container: Container,
  meanwhile: (joined: Container) => void,
): Container => {
  const shared = sharesWith(container);
  if (shared !== undefined) {
    const guest: Container = { ...container, sandboxId: sharedSandbox(parts, shared), endpointIds: [] };
    parts.ledger.commit([{ table: 'container', id: guest.id, value: guest }], () => meanwhile(guest));
    return guest;
  }
  const networks = container.networks.map((entry) => networkOf(parts, entry));
  const sandbox = newSandbox(parts, container, networks);
  const members: Member[] = [];
  try {
    networks.forEach((network, index) => {
      const taken = new Set(members.map((m) => m.endpoint.ifname));
      const settings = settingsOf(container, index);
      const attaching = attachingOf(parts, sandbox, container, network, settings, taken);
      const endpoint = buildEndpoint(attaching, parts.addresses);
      members.push({ network, endpoint, driver: driverOf(parts, network) });
    });
    const resolved = container.networks.every((entry, i) => entry.networkId === networks[i]?.id)
      ? container.networks
      : container.networks.map((entry, i) => ({ ...entry, networkId: networks[i]?.id ?? '' }));
    const endpointIds = members.map((m) => m.endpoint.id);
    const joined: Container = { ...container, networks: resolved, sandboxId: sandbox.id, endpointIds };
    const records: Change[] = [
      ...arrange(sandbox, members),
      { table: 'container', id: joined.id, value: joined },
    ];
    parts.ledger.commit(records, () => meanwhile(joined));
    for (const { network } of members) networkEvent(parts, network, 'connect', container.id);
    return joined;
  } catch (error) {
    for (const { endpoint } of members) releaseAddresses(endpoint, parts.addresses);
    throw namingEndpoint(error, container, members);
  }
};

/** moby's words around a port that could not be had. */
const namingEndpoint = (error: unknown, container: Container, members: readonly Member[]): unknown => {
  if (!(error instanceof PortError)) return error;
  const publishing = members.find((m) => hasPorts(m)) ?? members[0];
  return new PortError(
    `failed to set up container networking: driver failed programming external connectivity on endpoint ${container.name} (${publishing?.endpoint.id ?? ''}): ${error.message}`,
    error,
  );
};

const hasPorts = ({ network }: Member): boolean => !network.internal;

const sharedSandbox = (parts: Parts, reference: string): SandboxId => {
  const target = parts.model.getContainer(reference);
  if (!target.sandboxId || target.state.pid === 0)
    throw forbidden(`cannot join network of a non running container: ${target.id}`);
  return target.sandboxId;
};

/** What leaving changes: the records of the sandbox and endpoints that are the container's own. */
export const leaving = (parts: Parts, container: Container): readonly Change[] => {
  const own = container.sandboxId ? parts.model.sandboxes.get(container.sandboxId) : undefined;
  if (!own || own.containerId !== container.id) return [];
  const endpoints = parts.model.endpointsOfSandbox(own.id);
  return [
    ...endpoints.flatMap((e) => withoutEndpoint(parts, e)),
    { table: 'sandbox', id: own.id, value: null },
  ];
};

/** An endpoint's record goes; what plugins hold for it is owed from then on. */
const withoutEndpoint = (parts: Parts, endpoint: Endpoint): readonly Change[] => {
  const { id } = endpoint;
  const network = parts.model.networks.get(endpoint.networkId);
  const owed = network && owedForEndpoint(parts, network, endpoint);
  return [
    { table: 'endpoint', id, value: null },
    ...(owed ? [{ table: 'owed', id, value: owed } as const] : []),
  ];
};

/** After the commit: addresses are free, plugins are told in their own time. */
const released = (parts: Parts, endpoint: Endpoint): void => {
  releaseAddresses(endpoint, parts.addresses);
  if (parts.model.owed.has(endpoint.id)) void parts.debts.settle(endpoint.id);
};

/** Takes the sandbox down together with `container`'s new record, then frees the addresses. */
export const leave = (parts: Parts, before: Container, after: Container | null): void => {
  const changes = leaving(parts, before);
  const endpoints = changes.flatMap((c) => parts.model.endpoints.get(c.id) ?? []);
  const value = after && { ...after, sandboxId: null, endpointIds: [] };
  parts.ledger.commit([...changes, { table: 'container', id: before.id, value }]);
  for (const endpoint of endpoints) {
    released(parts, endpoint);
    const network = parts.model.networks.get(endpoint.networkId);
    if (network) networkEvent(parts, network, 'disconnect', before.id);
  }
};

const members = (parts: Parts, sandboxId: string): Member[] =>
  parts.model.endpointsOfSandbox(sandboxId).flatMap((endpoint) => {
    const network = parts.model.networks.get(endpoint.networkId);
    return network ? [{ endpoint, network, driver: driverOf(parts, network) }] : [];
  });

const checkConnectable = (container: Container, network: Network): void => {
  if (sharesWith(container) !== undefined || usesHost(container))
    throw invalid(
      'container sharing network namespace with another container or host cannot be connected to any other network',
    );
  if (network.driver === 'host')
    throw invalid(
      'cannot connect container to host network - container must be created in host network mode',
    );
  if (network.driver === 'null' && container.networks.length > 0)
    throw invalid(
      'container cannot be connected to multiple networks with one of the networks in private (none) mode',
    );
  if (container.networks.some((n) => n.networkId === network.id))
    throw forbidden(`endpoint with name ${container.name} already exists in network ${network.name}`);
};

/** `none` gives way to the first real network, as in Docker. */
const withNetwork = (
  container: Container,
  network: Network,
  settings: EndpointSettings,
): Container['networks'] => [
  ...container.networks.filter((n) => n.name !== 'none'),
  { networkId: network.id, name: network.name, settings },
];

/**
 * What an endpoint of the network would be made from; undefined while the container does not run. Throws where it cannot
 * be connected.
 */
export const connecting = (
  parts: Parts,
  network: Network,
  container: Container,
  settings: EndpointSettings,
): Attaching | undefined => {
  checkSettings(network, settings, parts.drivers.get(network.driver));
  checkConnectable(container, network);
  const sandbox = container.sandboxId ? parts.model.sandboxes.get(container.sandboxId) : undefined;
  return sandbox && attachingTo(parts, sandbox, container, network, settings);
};

const attachingTo = (
  parts: Parts,
  sandbox: Sandbox,
  container: Container,
  network: Network,
  settings: EndpointSettings,
): Attaching => {
  const taken = new Set(members(parts, sandbox.id).map((m) => m.endpoint.ifname));
  return attachingOf(parts, sandbox, container, network, settings, taken);
};

/** Adds an endpoint to a sandbox that is there. What plugins hold for it is its own from then on. */
const admit = (parts: Parts, sandbox: Sandbox, container: Container, member: Member): void => {
  const { endpoint, network } = member;
  const endpointIds = [...container.endpointIds, endpoint.id];
  const owed: readonly Change[] = parts.model.owed.has(endpoint.id)
    ? [{ table: 'owed', id: endpoint.id, value: null }]
    : [];
  parts.ledger.commit([
    ...arrange(sandbox, [...members(parts, sandbox.id), member]),
    { table: 'container', id: container.id, value: { ...container, endpointIds } },
    ...owed,
  ]);
  networkEvent(parts, network, 'connect', container.id);
};

/** `made`: the endpoint, where plugins had to be asked for it; otherwise it is made here. */
export const connect = (
  parts: Parts,
  network: Network,
  container: Container,
  settings: EndpointSettings,
  made?: Endpoint,
): Endpoint | undefined => {
  const attaching = connecting(parts, network, container, settings);
  const networks = withNetwork(container, network, settings);
  if (!attaching) {
    parts.ledger.commit([{ table: 'container', id: container.id, value: { ...container, networks } }]);
    return undefined;
  }
  const { sandbox, driver } = attaching;
  const endpoint = made ?? buildEndpoint(attaching, parts.addresses);
  const dns = sandboxDns(parts, { ...container, networks }, sandbox.dns.embedded || !network.predefined);
  try {
    admit(parts, { ...sandbox, dns }, { ...container, networks }, { endpoint, network, driver });
  } catch (error) {
    releaseAddresses(endpoint, parts.addresses);
    throw error;
  }
  return endpoint;
};

/** A sandbox without endpoints for a container that starts; plugins are told of its namespace before they make any. */
export const joinNothing = (parts: Parts, container: Container): Container => {
  const networks = container.networks.map((entry) => networkOf(parts, entry));
  const sandbox = newSandbox(parts, container, networks);
  const resolved = container.networks.map((entry, i) => ({ ...entry, networkId: networks[i]?.id ?? '' }));
  const empty: Container = { ...container, networks: resolved, sandboxId: sandbox.id, endpointIds: [] };
  parts.ledger.commit([...arrange(sandbox, []), { table: 'container', id: empty.id, value: empty }]);
  return empty;
};

/** What the `index`-th endpoint of a container with a sandbox is made from. */
export const attachingAt = (parts: Parts, container: Container, index: number): Attaching => {
  const sandbox = container.sandboxId ? parts.model.sandboxes.get(container.sandboxId) : undefined;
  const entry = container.networks[index];
  if (!sandbox || !entry) throw internal(`container ${container.name} has no sandbox for network ${index}`);
  return attachingTo(parts, sandbox, container, networkOf(parts, entry), settingsOf(container, index));
};

/** Adds the endpoint of `attaching` to its sandbox as both are now; `made` as in `connect`. */
export const joinNext = (parts: Parts, attaching: Attaching, made?: Endpoint): void => {
  const { network, driver } = attaching;
  const endpoint = made ?? buildEndpoint(attaching, parts.addresses);
  const container = parts.model.getContainer(attaching.container.id);
  try {
    admit(parts, parts.model.sandboxes.get(attaching.sandbox.id) ?? attaching.sandbox, container, {
      endpoint,
      network,
      driver,
    });
  } catch (error) {
    releaseAddresses(endpoint, parts.addresses);
    throw namingEndpoint(error, container, [{ endpoint, network, driver }]);
  }
};

/** Answers the endpoint removed, where there was one. */
export const disconnect = (parts: Parts, network: Network, container: Container): Endpoint | undefined => {
  if (usesHost(container) || network.driver === 'host')
    throw invalid('container cannot be disconnected from host network or connected to host network');
  if (!container.networks.some((n) => n.networkId === network.id || n.name === network.name))
    throw internal(`container ${container.id} is not connected to network ${network.name}`);
  const networks = container.networks.filter((n) => n.networkId !== network.id && n.name !== network.name);
  const gone = parts.model.endpointsOfNetwork(network.id).find((e) => e.containerId === container.id);
  const sandbox = gone && parts.model.sandboxes.get(gone.sandboxId);
  const endpointIds = container.endpointIds.filter((id) => id !== gone?.id);
  const record: Change = {
    table: 'container',
    id: container.id,
    value: { ...container, networks, endpointIds },
  };
  if (!gone || !sandbox) {
    parts.ledger.commit([record]);
    return undefined;
  }
  const stay = members(parts, sandbox.id).filter((m) => m.endpoint.id !== gone.id);
  parts.ledger.commit([...withoutEndpoint(parts, gone), ...arrange(sandbox, stay), record]);
  released(parts, gone);
  networkEvent(parts, network, 'disconnect', container.id);
  return gone;
};
