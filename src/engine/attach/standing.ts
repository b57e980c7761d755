/**
 * Questions about a container and networks that its records answer: whether it may join, which it is on, who shares
 * its sandbox.
 */
import { driverOf } from '../../drivers/index.js';
import { conflict, internal, invalid, notFound } from '../../errors.js';
import { type Container, type EndpointSettings, joinedContainer } from '../../model/container.js';
import type { Endpoint } from '../../model/endpoint.js';
import type { Network } from '../../model/network.js';
import type { View } from '../view.js';
import type { Member } from './gateways.js';
import { type LinkTarget, linksOf } from './links.js';

type Records = Pick<View, 'model'>;

export const sharesWith = ({ hostConfig }: Container): string | undefined =>
  joinedContainer(hostConfig.NetworkMode);

/** Whose network namespace and /etc files the container has, through any number of `container:`s: its own at the end. */
export const namespaceOwner = ({ model }: Records, container: Container): Container => {
  const seen = new Set<string>();
  let owner = container;
  for (let other = sharesWith(owner); other !== undefined; other = sharesWith(owner)) {
    if (seen.has(owner.id))
      throw invalid(`cannot join own network: container ${container.name} would have none but its own`);
    seen.add(owner.id);
    owner = model.getContainer(other);
  }
  return owner;
};

export const usesHost = (container: Container): boolean => container.hostConfig.NetworkMode === 'host';

const networkOf = ({ model }: Records, entry: Container['networks'][number]): Network => {
  const network = model.networks.get(entry.networkId) ?? model.findNetwork(entry.name);
  if (!network) throw notFound(`network ${entry.name} not found`);
  return network;
};

export interface Listed {
  /** its place in the container's list */
  readonly index: number;
  readonly network: Network;
}

/**
 * The networks that the container's endpoints are on: all that it lists, but with `--bridge none` the default one, which is
 * not there. Who names none has `lo` alone.
 */
export const listedNetworks = (
  view: Pick<View, 'model' | 'config'>,
  container: Container,
): readonly Listed[] =>
  container.networks.flatMap((entry, index) =>
    view.config.bridge === 'none' && entry.name === 'bridge'
      ? []
      : [{ index, network: networkOf(view, entry) }],
  );

/** Networks may have been named before they were made: from a start on they go by their ids. */
export const resolvedNetworks = (container: Container, found: readonly Listed[]): Container => {
  const ids = new Map(found.map(({ index, network }) => [index, network.id]));
  const networks = container.networks.map((entry, i) => {
    const networkId = ids.get(i) ?? entry.networkId;
    return entry.networkId === networkId ? entry : { ...entry, networkId };
  });
  return networks.every((entry, i) => entry === container.networks[i])
    ? container
    : { ...container, networks };
};

/** What is asked of the `index`-th network. A user's MAC of `docker run --mac-address` belongs to the first. */
export const settingsAt = (container: Container, index: number): EndpointSettings => {
  const settings = container.networks[index]?.settings;
  if (!settings) throw internal(`container ${container.name} has no network ${index}`);
  const mac = index === 0 ? container.config.MacAddress : undefined;
  return mac && !settings.mac ? { ...settings, mac } : settings;
};

/** The running containers that this one links to, with the endpoint each has on the network. */
export const linkTargets = (
  { model }: Records,
  container: Container,
  network: Network,
): readonly LinkTarget[] =>
  linksOf(container, (reference) => model.findContainer(reference)).flatMap(({ target: id, alias }) => {
    const target = model.containers.get(id);
    const endpoint = target && model.endpointsOfNetwork(network.id).find((e) => e.containerId === target.id);
    return target && endpoint ? [{ alias, container: target, endpoint }] : [];
  });

export const membersOf = ({ model, drivers }: Pick<View, 'model' | 'drivers'>, sandboxId: string): Member[] =>
  model.endpointsOfSandbox(sandboxId).flatMap((endpoint) => {
    const network = model.networks.get(endpoint.networkId);
    return network ? [{ endpoint, network, driver: driverOf(network, drivers) }] : [];
  });

/** The gateway endpoint that the container has now, or none. A sandbox's guests have none of their own. */
export const gatewayOf = ({ model }: Records, { id, sandboxId }: Container): readonly Endpoint[] =>
  sandboxId === null
    ? []
    : model.endpointsOfSandbox(sandboxId).filter((e) => e.gateway && e.containerId === id);

/** Which link `docker rm --link client/alias` means. Throws not-found where there is no such link, conflict for a container's own name. */
export const linkNamed = (
  { model }: Records,
  reference: string,
): { readonly parent: Container; readonly alias: string } => {
  model.getContainer(reference);
  const name = reference.replace(/^\//, '');
  const slash = name.lastIndexOf('/');
  if (slash < 0) throw conflict('Conflict, cannot remove the default link name of the container');
  return { parent: model.getContainer(name.slice(0, slash)), alias: name.slice(slash + 1) };
};
