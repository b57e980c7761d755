/**
 * A container's /etc/hosts, /etc/resolv.conf and /etc/hostname: written at start, edited in place as networks and linked
 * containers come and go. A file the user mounted over one of them is never touched, because ours is not what is mounted.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import {
  addHosts,
  hostHosts,
  hostResolvConf,
  removeHosts,
  updateHosts,
  writeInPlace,
  writeResolvConf,
} from '../../dns/etc.js';
import {
  dnsOverrides,
  extraRecords,
  type HostsRecord,
  hostnameText,
  hostsText,
  linkRecord,
  ownRecords,
  type ResolvConfMode,
  resolvConfText,
} from '../../dns/files.js';
import { bare } from '../../model/address.js';
import type { Container } from '../../model/container.js';
import type { Endpoint, SandboxDns } from '../../model/endpoint.js';
import { type ContainerId, shortId } from '../../model/ids.js';
import type { StartRequest } from '../../runtime/contract.js';
import { linkTargets, namespaceOwner, usesHost } from '../attach/attaching.js';
import { type LinkTarget, linksOf } from '../attach/links.js';
import { withoutIpv6 } from '../attach/sysctls.js';
import type { Parts } from '../parts.js';

export interface EtcPaths {
  readonly hosts: string;
  readonly resolvConf: string;
  readonly hostname: string;
  readonly log: string;
}

export const pathsOf = (parts: Parts, id: ContainerId): EtcPaths => {
  const directory = join(parts.config.dataRoot, 'containers', id);
  return {
    hosts: join(directory, 'hosts'),
    resolvConf: join(directory, 'resolv.conf'),
    hostname: join(directory, 'hostname'),
    log: join(directory, 'container.log'),
  };
};

const FILES = ['/etc/hosts', '/etc/resolv.conf', '/etc/hostname'] as const;

/** Files of ours that the container sees: those that no mount of the user's covers. */
const uncovered = (container: Container, paths: EtcPaths): StartRequest['etc'] => {
  const covered = new Set(container.mounts.map((m) => m.destination));
  const [hosts, resolvConf, hostname] = FILES.map((path) => !covered.has(path) && !covered.has('/etc'));
  return {
    ...(hosts ? { hosts: paths.hosts } : {}),
    ...(resolvConf ? { resolvConf: paths.resolvConf } : {}),
    ...(hostname ? { hostname: paths.hostname } : {}),
  };
};

/** The same, by where the container sees them. */
export const etcMounted = (
  parts: Parts,
  container: Container,
): readonly (readonly [destination: string, source: string])[] => {
  const { hosts, resolvConf, hostname } = uncovered(container, pathsOf(parts, container.id));
  return [hosts, resolvConf, hostname].flatMap((source, at) =>
    source ? [[FILES[at] ?? '', source] as const] : [],
  );
};

const addressesOf = (endpoint: Endpoint): readonly string[] =>
  [endpoint.ipv4, endpoint.ipv6].flatMap((a) => (a ? [bare(a)] : []));

const own = (container: Container, endpoint: Endpoint): readonly HostsRecord[] =>
  ownRecords(container.config.Hostname, container.config.Domainname, addressesOf(endpoint));

const endpointsOf = (parts: Parts, container: Container): readonly Endpoint[] =>
  container.endpointIds.flatMap((id) => parts.model.endpoints.get(id) ?? []);

/** Links name containers in the hosts file only where no resolver does: on the default bridge. */
const linkRecords = (targets: readonly LinkTarget[]): readonly HostsRecord[] =>
  targets.map(({ alias, container: target, endpoint }) =>
    linkRecord({
      address: bare(endpoint.ipv4 ?? endpoint.ipv6 ?? ''),
      alias,
      hostname: target.config.Hostname || shortId(target.id),
      name: target.name,
    }),
  );

const defaultBridgeLinks = (parts: Parts, container: Container): readonly LinkTarget[] => {
  const bridge = parts.model.networkNamed('bridge');
  const attached = bridge && container.networks.some((n) => n.networkId === bridge.id);
  return attached ? linkTargets(parts, container, bridge) : [];
};

const hosts = (parts: Parts, container: Container): string => {
  const extra = extraRecords(container.hostConfig.ExtraHosts ?? [], parts.facts.gatewayAddresses());
  if (usesHost(container) && extra.length === 0) return hostHosts();
  const endpoints = endpointsOf(parts, container);
  const sandbox = parts.model.sandboxOf(container);
  return hostsText({
    extra: [...extra, ...linkRecords(defaultBridgeLinks(parts, container))],
    own: endpoints.flatMap((e) => own(container, e)),
    ipv6: parts.host.ipv6 && !(sandbox && withoutIpv6(sandbox)),
  });
};

const modeOf = (container: Container, dns: SandboxDns | undefined): ResolvConfMode => {
  if (usesHost(container)) return 'host';
  return dns?.embedded ? 'embedded' : 'legacy';
};

const resolvConf = (parts: Parts, container: Container): string => {
  const dns = parts.model.sandboxOf(container)?.dns;
  const mode = modeOf(container, dns);
  return resolvConfText({
    host: hostResolvConf(mode),
    overrides: dnsOverrides(container.hostConfig, parts.config),
    mode,
    ipv6: endpointsOf(parts, container).some((e) => e.ipv6 !== undefined),
  });
};

/** Files anew for a start. With `--network container:` the other container's are shared. */
export const writeEtc = (parts: Parts, container: Container): StartRequest['etc'] => {
  const owner = namespaceOwner(parts, container);
  const paths = pathsOf(parts, owner.id);
  if (owner === container) {
    mkdirSync(join(parts.config.dataRoot, 'containers', container.id), { recursive: true, mode: 0o710 });
    writeInPlace(paths.hosts, hosts(parts, container));
    writeResolvConf(paths.resolvConf, resolvConf(parts, container));
    writeInPlace(paths.hostname, hostnameText(container.config.Hostname));
  }
  return uncovered(container, paths);
};

/** A running container joined a network: its address there is a line in its hosts file, its resolver may be new. */
export const etcJoined = (parts: Parts, container: Container, endpoint: Endpoint): void => {
  const paths = pathsOf(parts, container.id);
  addHosts(paths.hosts, own(container, endpoint));
  writeResolvConf(paths.resolvConf, resolvConf(parts, container));
};

export const etcLeft = (parts: Parts, container: Container, endpoint: Endpoint): void => {
  removeHosts(pathsOf(parts, container.id).hosts, own(container, endpoint));
};

/** A container that has a link still loses it: the line that names its target goes. */
export const etcUnlinked = (parts: Parts, container: Container, alias: string): void => {
  const targets = defaultBridgeLinks(parts, container).filter((target) => target.alias === alias);
  removeHosts(pathsOf(parts, container.id).hosts, linkRecords(targets));
};

/** A container has (new) addresses: those that link to it on the default bridge follow in their hosts files. */
export const followLinks = (parts: Parts, target: Container): void => {
  const bridge = parts.model.networkNamed('bridge');
  const endpoint = bridge && endpointsOf(parts, target).find((e) => e.networkId === bridge.id);
  if (!endpoint) return;
  for (const container of parts.model.containers.values()) {
    if (container.sandboxId === null || container.id === target.id) continue;
    for (const link of linksOf(container, (reference) => parts.model.findContainer(reference)))
      if (link.target === target.id)
        for (const address of addressesOf(endpoint))
          updateHosts(pathsOf(parts, container.id).hosts, link.alias, address);
  }
};

export const removeEtc = (parts: Parts, id: ContainerId): void => {
  rmSync(join(parts.config.dataRoot, 'containers', id), { recursive: true, force: true });
};
