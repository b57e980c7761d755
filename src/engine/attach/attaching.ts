/** What a container's sandbox and endpoints are made from, read from the records: nothing here changes anything. */
import { driverOf } from '../../drivers/index.js';
import { internal, invalid, notFound } from '../../errors.js';
import type { Container, EndpointSettings } from '../../model/container.js';
import type { Sandbox } from '../../model/endpoint.js';
import { freshId, type SandboxId } from '../../model/ids.js';
import type { Network } from '../../model/network.js';
import type { Parts } from '../parts.js';
import { type Attaching, checkSettings } from './endpoint.js';
import type { Member } from './gateways.js';
import { type LinkTarget, linkedPorts, linksOf } from './links.js';
import { resolverSettings } from './resolver-settings.js';

const SHARED = 'container:';
export const sharesWith = (container: Container): string | undefined =>
  container.hostConfig.NetworkMode.startsWith(SHARED)
    ? container.hostConfig.NetworkMode.slice(SHARED.length)
    : undefined;

/** Whose network namespace and /etc files the container has, through any number of `container:`s: its own at the end. */
export const namespaceOwner = (parts: Parts, container: Container): Container => {
  const seen = new Set<string>();
  let owner = container;
  for (let other = sharesWith(owner); other !== undefined; other = sharesWith(owner)) {
    if (seen.has(owner.id))
      throw invalid(`cannot join own network: container ${container.name} would have none but its own`);
    seen.add(owner.id);
    owner = parts.model.getContainer(other);
  }
  return owner;
};

export const usesHost = (container: Container): boolean => container.hostConfig.NetworkMode === 'host';

const networkOf = (parts: Parts, entry: Container['networks'][number]): Network => {
  const network = parts.model.networks.get(entry.networkId) ?? parts.model.findNetwork(entry.name);
  if (!network) throw notFound(`network ${entry.name} not found`);
  return network;
};

/**
 * The networks that the container's endpoints are on, with their places in its list: all, but with `--bridge none` the
 * default one, which is not there. Who names none has `lo` alone.
 */
export const attachable = (
  parts: Parts,
  container: Container,
): readonly { readonly index: number; readonly network: Network }[] =>
  container.networks.flatMap((entry, index) =>
    parts.config.bridge === 'none' && entry.name === 'bridge'
      ? []
      : [{ index, network: networkOf(parts, entry) }],
  );

/** The running containers that this one links to, with the endpoint each has on the network. */
export const linkTargets = (parts: Parts, container: Container, network: Network): readonly LinkTarget[] =>
  linksOf(container, (reference) => parts.model.findContainer(reference)).flatMap(({ target: id, alias }) => {
    const target = parts.model.containers.get(id);
    const endpoint =
      target && parts.model.endpointsOfNetwork(network.id).find((e) => e.containerId === target.id);
    return target && endpoint ? [{ alias, container: target, endpoint }] : [];
  });

export const newSandbox = (parts: Parts, container: Container, networks: readonly Network[]): Sandbox => {
  const id = freshId<SandboxId>();
  const host = usesHost(container);
  return {
    id,
    containerId: container.id,
    netns: host ? '' : `${parts.config.execRoot}/netns/${id.slice(0, 12)}`,
    mode: host ? 'host' : 'private',
    gateway4: null,
    gateway6: null,
    bindings: [], // decided with the endpoints
    sysctls: container.hostConfig.Sysctls ?? {},
    ...(container.hostConfig.Privileged ? { privileged: true } : {}),
    dns: resolverSettings(
      parts,
      container,
      networks.some((n) => !n.predefined),
    ),
  };
};

/** What an endpoint is made from; `taken`: the sandbox's interface names. */
export const attachingOf = (
  parts: Parts,
  sandbox: Sandbox,
  container: Container,
  network: Network,
  settings: EndpointSettings,
  taken: ReadonlySet<string>,
): Attaching => {
  checkSettings(network, settings, parts.drivers.get(network.driver));
  const driver = driverOf(network, parts.drivers);
  const linkedTo = linkedPorts(linkTargets(parts, container, network));
  return { container, network, settings, sandbox, taken, driver, linkedTo };
};

/** A user's MAC of `docker run --mac-address` belongs to the first network. */
export const settingsOf = (container: Container, index: number): EndpointSettings => {
  const settings = container.networks[index]?.settings;
  if (!settings) throw internal(`container ${container.name} has no network ${index}`);
  const mac = index === 0 ? container.config.MacAddress : undefined;
  return mac && !settings.mac ? { ...settings, mac } : settings;
};

export const membersOf = (parts: Parts, sandboxId: string): Member[] =>
  parts.model.endpointsOfSandbox(sandboxId).flatMap((endpoint) => {
    const network = parts.model.networks.get(endpoint.networkId);
    return network ? [{ endpoint, network, driver: driverOf(network, parts.drivers) }] : [];
  });

export const attachingTo = (
  parts: Parts,
  sandbox: Sandbox,
  container: Container,
  network: Network,
  settings: EndpointSettings,
): Attaching => {
  const taken = new Set(membersOf(parts, sandbox.id).map((m) => m.endpoint.ifname));
  return attachingOf(parts, sandbox, container, network, settings, taken);
};

/** What the `index`-th endpoint of a container with a sandbox is made from. */
export const attachingAt = (parts: Parts, container: Container, index: number): Attaching => {
  const sandbox = container.sandboxId ? parts.model.sandboxes.get(container.sandboxId) : undefined;
  const entry = container.networks[index];
  if (!sandbox || !entry) throw internal(`container ${container.name} has no sandbox for network ${index}`);
  return attachingTo(parts, sandbox, container, networkOf(parts, entry), settingsOf(container, index));
};
