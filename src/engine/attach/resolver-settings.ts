/** What the embedded resolver of a container's sandbox is told: servers and options. */
import { hostResolvConf } from '../../dns/etc.js';
import { dnsOverrides, sandboxDns } from '../../dns/files.js';
import type { Container } from '../../model/container.js';
import type { SandboxDns } from '../../model/endpoint.js';
import type { Parts } from '../parts.js';

/** `embedded`: some network of the sandbox resolves names; else it has the host's servers. */
export const resolverSettings = (parts: Parts, container: Container, embedded: boolean): SandboxDns =>
  sandboxDns(
    hostResolvConf(embedded ? 'embedded' : 'legacy'),
    dnsOverrides(container.hostConfig, parts.config),
    embedded,
  );
