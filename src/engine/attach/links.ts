/** Legacy links: what `--link db:alias` gives a container in environment and hosts file. Pure. */
import { conflict, invalid } from '../../errors.js';
import { bare } from '../../model/address.js';
import {
  type Container,
  type ContainerLink,
  type HostConfig,
  joinedContainer,
} from '../../model/container.js';
import type { Endpoint, LinkedPort } from '../../model/endpoint.js';

export interface Link {
  /** the source container as the user named it */
  readonly source: string;
  readonly alias: string;
}

/** `name`, `name:alias`, and the forms `/name:/owner/alias` that old clients send back. */
export const parseLink = (text: string): Link => {
  const parts = text.split(':');
  const source = (parts[0] ?? '').replace(/^\//, '');
  const alias = (parts[1] ?? source).split('/').at(-1) ?? '';
  if (source === '' || alias === '' || parts.length > 2)
    throw invalid(`bad format for links: ${text.slice(0, 64)}`);
  return { source, alias };
};

const CLASSIC_MODES = ['', 'default', 'bridge', 'host', 'none'];

type Find = (reference: string) => Container | undefined;

/** Not a 404: to clients that would mean that the image is missing, and they would pull it. */
const found = (find: Find, reference: string): Container => {
  const container = find(reference);
  if (!container) throw invalid(`could not get container for ${reference}: No such container: ${reference}`);
  return container;
};

/** Whose network namespace the source is in: that is who is linked to. */
const targetOf = (find: Find, source: string): Container => {
  let target = found(find, source);
  for (let hops = 0; hops < 64; hops += 1) {
    const other = joinedContainer(target.hostConfig.NetworkMode);
    if (other === undefined) break;
    target = found(find, other);
  }
  if (target.hostConfig.NetworkMode === 'host')
    throw invalid(
      "conflicting options: host type networking can't be used with links. This would result in undefined behavior",
    );
  return target;
};

/** The links of a new container, each alias once; undefined where the mode makes them names to resolve. */
export const resolveLinks = (
  { NetworkMode, Links }: Pick<HostConfig, 'NetworkMode' | 'Links'>,
  find: Find,
): readonly ContainerLink[] | undefined => {
  const parsed = (Links ?? []).map(parseLink);
  if (!CLASSIC_MODES.includes(NetworkMode)) return undefined;
  const links = new Map<string, ContainerLink>();
  for (const { source, alias } of parsed) {
    const { id, name } = targetOf(find, source);
    if (!links.has(alias)) links.set(alias, { target: id, name, alias });
  }
  return [...links.values()];
};

/** A container's links; those of older records, and of user-defined networks, by the names that the user gave. */
export const linksOf = ({ links, hostConfig }: Container, find: Find): readonly ContainerLink[] =>
  links ??
  (hostConfig.Links ?? []).map(parseLink).flatMap(({ source, alias }) => {
    const target = find(source);
    return target ? [{ target: target.id, name: target.name, alias }] : [];
  });

/** Docker starts nobody whose links lead nowhere. `bridge`: id of the default network. Throws conflict. */
export const checkLinks = (container: Container, bridge: string, find: Find): void => {
  if (!container.networks.some(({ networkId }) => networkId === bridge)) return;
  for (const { target, name, alias } of container.links ?? []) {
    const linked = find(target);
    if (!linked || linked.state.pid === 0)
      throw conflict(
        `Cannot link to a non running container: /${linked?.name ?? name} AS /${container.name}/${alias}`,
      );
    if (!linked.networks.some(({ networkId }) => networkId === bridge))
      throw conflict(`container ${linked.id} not attached to default bridge network`);
  }
};

/** What `alias` means to the container on one of its user-defined networks; undefined: it is nobody's alias there. */
export const linkedOn = (container: Container, networkId: string, alias: string): string | undefined => {
  const index = container.networks.findIndex((n) => n.networkId === networkId);
  // `docker run --link` speaks of the network that the container was made for, `network connect --link` of that one.
  const made = index === 0 ? (container.hostConfig.Links ?? []) : [];
  const links = [...made, ...(container.networks[index]?.settings.links ?? [])].map(parseLink);
  return links.findLast((link) => link.alias.toLowerCase() === alias)?.source;
};

/** The container without one of its links. */
export const withoutLink = (container: Container, alias: string): Container => {
  const Links = (container.hostConfig.Links ?? []).filter((text) => parseLink(text).alias !== alias);
  return {
    ...container,
    hostConfig: { ...container.hostConfig, Links: Links.length > 0 ? Links : null },
    links: (container.links ?? []).filter((link) => link.alias !== alias),
  };
};

export interface LinkTarget {
  readonly alias: string;
  readonly container: Container;
  readonly endpoint: Endpoint;
}

/** Which flows a link opens where containers may not otherwise talk (ICC off): the exposed ports of its source. */
export const linkedPorts = (targets: readonly LinkTarget[]): readonly LinkedPort[] =>
  targets.flatMap(({ endpoint }) =>
    endpoint.exposed.map((port) => ({ ...port, address: bare(endpoint.ipv4 ?? endpoint.ipv6 ?? '') })),
  );

/** Variables that describe the image or the shell rather than the service, never passed on (moby's list). */
const PRIVATE = new Set(['HOME', 'PATH']);

/** TCP first, then by number: the first is what `DB_PORT` names. */
const inOrder = (ports: readonly LinkedPort[]): readonly LinkedPort[] =>
  ports.toSorted(
    (a, b) =>
      Number(b.protocol === 'tcp') - Number(a.protocol === 'tcp') ||
      (a.protocol < b.protocol ? -1 : a.protocol > b.protocol ? 1 : a.port - b.port),
  );

/** Ports of one protocol that follow one another, as moby counts them: three at least. */
const rangesOf = (sorted: readonly LinkedPort[]): readonly { first: LinkedPort; last: LinkedPort }[] => {
  const ranges: { first: LinkedPort; last: LinkedPort }[] = [];
  for (const port of sorted) {
    const range = ranges.at(-1);
    if (range?.last.protocol === port.protocol && range.last.port + 1 === port.port) range.last = port;
    else ranges.push({ first: port, last: port });
  }
  return ranges.filter(({ first, last }) => last.port - first.port >= 2);
};

const named = (prefix: string, { protocol, port }: LinkedPort): string =>
  `${prefix}_PORT_${port}_${protocol.toUpperCase()}`;
const url = ({ protocol, address, port }: LinkedPort): string => `${protocol}://${address}:${port}`;

const portVariables = (prefix: string, port: LinkedPort): string[] => {
  const name = named(prefix, port);
  return [
    `${name}=${url(port)}`,
    `${name}_ADDR=${port.address}`,
    `${name}_PORT=${port.port}`,
    `${name}_PROTO=${port.protocol}`,
  ];
};

const rangeVariables = (prefix: string, first: LinkedPort, last: LinkedPort): string[] => {
  const name = named(prefix, first);
  return [
    `${name}_START=${url(first)}`,
    `${name}_PORT_START=${first.port}`,
    `${name}_END=${url(last)}`,
    `${name}_PORT_END=${last.port}`,
  ];
};

/** `DB_NAME`, `DB_PORT`, `DB_PORT_5432_TCP…`, `DB_PORT_5432_TCP_START…` of ports in a row, `DB_ENV_…` for one link. */
export const linkEnvironment = (
  owner: Container,
  { alias, container, endpoint }: LinkTarget,
): readonly string[] => {
  const prefix = alias.toUpperCase().replace(/-/g, '_');
  const ports = inOrder(linkedPorts([{ alias, container, endpoint }]));
  const own = container.config.Env.filter((e) => !PRIVATE.has(e.split('=', 1)[0] ?? ''));
  return [
    ...ports.slice(0, 1).map((port) => `${prefix}_PORT=${url(port)}`),
    ...rangesOf(ports).flatMap(({ first, last }) => rangeVariables(prefix, first, last)),
    ...ports.flatMap((port) => portVariables(prefix, port)),
    `${prefix}_NAME=/${owner.name}/${alias}`,
    ...own.map((variable) => `${prefix}_ENV_${variable}`),
  ];
};
