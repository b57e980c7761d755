/** What the embedded resolver of a container's sandbox is told: servers, options, and the names of links. */
import { hostResolvConf } from '../../dns/etc.js';
import { dnsOverrides, sandboxDns } from '../../dns/files.js';
import type { Container } from '../../model/container.js';
import type { SandboxDns } from '../../model/endpoint.js';
import type { Parts } from '../parts.js';
import { parseLink } from './links.js';

const linkNames = (parts: Parts, container: Container): Readonly<Record<string, string>> => {
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

/** `embedded`: some network of the sandbox resolves names; else it has the host's servers. */
export const resolverSettings = (parts: Parts, container: Container, embedded: boolean): SandboxDns =>
  sandboxDns(
    hostResolvConf(embedded ? 'embedded' : 'legacy'),
    dnsOverrides(container.hostConfig, parts.config),
    embedded,
    linkNames(parts, container),
  );
