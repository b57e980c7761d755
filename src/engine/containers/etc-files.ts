/**
 * A container's /etc/hosts, /etc/resolv.conf and /etc/hostname: written at start, edited in place as networks and linked
 * containers come and go. A file the user mounted over one of them is never touched, because ours is not what is mounted.
 */

import { mkdirSync, rmSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { defined } from '../../defined.js';
import {
  addHosts,
  hostHosts,
  removeHosts,
  updateHosts,
  writeInPlace,
  writeResolvConf,
} from '../../dns/etc-files.js';
import {
  extraRecords,
  type HostsRecord,
  hostnameText,
  hostsText,
  linkRecord,
  ownRecords,
} from '../../dns/hosts.js';
import { dnsOverrides, type ResolvConfMode, resolvConfText } from '../../dns/resolv-conf.js';
import { bare } from '../../model/address.js';
import type { Container } from '../../model/container.js';
import { addressesOf, type Endpoint, type SandboxDns } from '../../model/endpoint.js';
import { type ContainerId, shortId } from '../../model/ids.js';
import type { StartRequest } from '../../runtime/contract.js';
import { type LinkTarget, linksOf } from '../attach/links.js';
import { linkTargets, namespaceOwner, usesHost } from '../attach/standing.js';
import { withoutIpv6 } from '../attach/sysctls.js';
import type { View } from '../view.js';

export interface EtcPaths {
  readonly hosts: string;
  readonly resolvConf: string;
  readonly hostname: string;
  readonly log: string;
}

export const pathsOf = ({ config }: Pick<View, 'config'>, id: ContainerId): EtcPaths => {
  const directory = join(config.dataRoot, 'containers', id);
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
  return defined({
    hosts: hosts ? paths.hosts : undefined,
    resolvConf: resolvConf ? paths.resolvConf : undefined,
    hostname: hostname ? paths.hostname : undefined,
  });
};

/** The same, by where the container sees them. */
export const etcMounted = (
  view: Pick<View, 'config'>,
  container: Container,
): readonly (readonly [destination: string, source: string])[] => {
  const { hosts, resolvConf, hostname } = uncovered(container, pathsOf(view, container.id));
  return [hosts, resolvConf, hostname].flatMap((source, at) =>
    source ? [[FILES[at] ?? '', source] as const] : [],
  );
};

const own = (container: Container, endpoint: Endpoint): readonly HostsRecord[] =>
  ownRecords(container.config.Hostname, container.config.Domainname, addressesOf(endpoint));

const endpointsOf = (view: View, container: Container): readonly Endpoint[] =>
  container.endpointIds.flatMap((id) => view.model.endpoints.get(id) ?? []);

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

const defaultBridgeLinks = (view: View, container: Container): readonly LinkTarget[] => {
  const bridge = view.model.networkNamed('bridge');
  const attached = bridge && container.networks.some((n) => n.networkId === bridge.id);
  return attached ? linkTargets(view, container, bridge) : [];
};

const hosts = (view: View, container: Container): string => {
  const extra = extraRecords(container.hostConfig.ExtraHosts ?? [], view.facts.gatewayAddresses());
  if (usesHost(container) && extra.length === 0) return hostHosts();
  const endpoints = endpointsOf(view, container);
  const sandbox = view.model.sandboxOf(container);
  return hostsText({
    extra: [...extra, ...linkRecords(defaultBridgeLinks(view, container))],
    own: endpoints.flatMap((e) => own(container, e)),
    ipv6: view.host.ipv6 && !(sandbox && withoutIpv6(sandbox)),
  });
};

const modeOf = (container: Container, dns: SandboxDns | undefined): ResolvConfMode => {
  if (usesHost(container)) return 'host';
  return dns?.embedded ? 'embedded' : 'legacy';
};

const resolvConf = (view: View, container: Container): string => {
  const dns = view.model.sandboxOf(container)?.dns;
  const mode = modeOf(container, dns);
  return resolvConfText({
    host: view.facts.resolvConf(mode),
    overrides: dnsOverrides(container.hostConfig, view.config),
    mode,
    ipv6: endpointsOf(view, container).some((e) => e.ipv6 !== undefined),
  });
};

/** Files anew for a start. With `--network container:` the other container's are shared. */
export const writeEtc = (view: View, container: Container): StartRequest['etc'] => {
  const owner = namespaceOwner(view, container);
  const paths = pathsOf(view, owner.id);
  if (owner === container) {
    mkdirSync(join(view.config.dataRoot, 'containers', container.id), { recursive: true, mode: 0o710 });
    writeInPlace(paths.hosts, hosts(view, container));
    writeResolvConf(paths.resolvConf, resolvConf(view, container));
    writeInPlace(
      paths.hostname,
      hostnameText(container.config.Hostname || (usesHost(container) ? hostname() : '')),
    );
  }
  return uncovered(container, paths);
};

/** A running container joined a network: its address there is a line in its hosts file, its resolver may be new. */
export const etcJoined = (view: View, container: Container, endpoint: Endpoint): void => {
  const paths = pathsOf(view, container.id);
  addHosts(paths.hosts, own(container, endpoint));
  writeResolvConf(paths.resolvConf, resolvConf(view, container));
};

export const etcLeft = (view: View, container: Container, endpoint: Endpoint): void => {
  removeHosts(pathsOf(view, container.id).hosts, own(container, endpoint));
};

/** A container that has a link still loses it: the line that names its target goes. */
export const etcUnlinked = (view: View, container: Container, alias: string): void => {
  const targets = defaultBridgeLinks(view, container).filter((target) => target.alias === alias);
  removeHosts(pathsOf(view, container.id).hosts, linkRecords(targets));
};

/** A container has (new) addresses: those that link to it on the default bridge follow in their hosts files. */
export const followLinks = (view: View, target: Container): void => {
  const bridge = view.model.networkNamed('bridge');
  const endpoint = bridge && endpointsOf(view, target).find((e) => e.networkId === bridge.id);
  if (!endpoint) return;
  for (const container of view.model.containers.values()) {
    if (container.sandboxId === null || container.id === target.id) continue;
    for (const link of linksOf(container, (reference) => view.model.findContainer(reference)))
      if (link.target === target.id)
        for (const address of addressesOf(endpoint))
          updateHosts(pathsOf(view, container.id).hosts, link.alias, address);
  }
};

export const removeEtc = ({ config }: Pick<View, 'config'>, id: ContainerId): void => {
  rmSync(join(config.dataRoot, 'containers', id), { recursive: true, force: true });
};
