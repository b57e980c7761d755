/** What libnetwork tells drivers in `Options`, in its own labels and shapes. Pure. */
import type { Container, EndpointSettings } from '../../model/container.js';
import type { Network } from '../../model/network.js';
import type { Protocol } from '../../model/port.js';
import { portRange } from '../../model/port-text.js';
import type { PluginOptions } from '../../plugins/contract.js';
import { parsePort } from '../attach/publish.js';

const LABEL = {
  generic: 'com.docker.network.generic',
  ipv4: 'com.docker.network.enable_ipv4',
  ipv6: 'com.docker.network.enable_ipv6',
  internal: 'com.docker.network.internal',
  exposed: 'com.docker.network.endpoint.exposedports',
  published: 'com.docker.network.portmap',
  mac: 'com.docker.network.endpoint.macaddress',
  dns: 'com.docker.network.endpoint.dnsservers',
} as const;

export const networkOptions = (
  network: Pick<Network, 'options' | 'ipv4' | 'ipv6' | 'internal'>,
): PluginOptions => ({
  [LABEL.ipv4]: network.ipv4,
  [LABEL.ipv6]: network.ipv6,
  [LABEL.generic]: network.options,
  ...(network.internal ? { [LABEL.internal]: true } : {}),
});

/** IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP: what libnetwork writes for a protocol's name. */
const PROTOCOLS: Readonly<Record<Protocol, number>> = { tcp: 6, udp: 17, sctp: 132 };

interface Port {
  readonly Proto: number;
  readonly Port: number;
}

const portOf = (text: string): Port => {
  const { protocol, port } = parsePort(text);
  return { Proto: PROTOCOLS[protocol], Port: port };
};

const published = (port: Port, hostIp: string, hostPort: string) => {
  const [start, end] = portRange(hostPort) ?? [0, 0];
  return { ...port, IP: '', HostIP: hostIp, HostPort: start, HostPortEnd: end };
};

/**
 * The container's ports: those with a binding or `EXPOSE`d, and what is to be published of them. `exposed`: also those
 * that nobody asked to publish (a sandbox's options hold them, an endpoint's do not).
 */
const ports = ({ config, hostConfig }: Container, exposed: boolean): PluginOptions => {
  const bindings = new Map(Object.entries(hostConfig.PortBindings));
  if (exposed || hostConfig.PublishAllPorts)
    for (const port of Object.keys(config.ExposedPorts ?? {}))
      if (!bindings.has(port)) bindings.set(port, null);
  return {
    [LABEL.exposed]: [...bindings.keys()].map(portOf),
    [LABEL.published]: [...bindings].flatMap(([text, wanted]) => {
      const port = portOf(text);
      const all = (wanted ?? []).map((b) => published(port, b.HostIp, b.HostPort));
      return all.length === 0 && hostConfig.PublishAllPorts ? [published(port, '', '')] : all;
    }),
  };
};

/** Options of `Join` and `ProgramExternalConnectivity`: the sandbox's. */
export const sandboxOptions = (container: Container): PluginOptions => ports(container, true);

/** Go writes a MAC, which is a list of bytes, in base64. */
const base64 = (mac: string): string => Buffer.from(mac.replaceAll(':', ''), 'hex').toString('base64');

/** Options of `CreateEndpoint`. An internal network publishes nothing. */
export const endpointOptions = (
  container: Container,
  network: Network,
  settings: EndpointSettings,
  dns: readonly string[],
): PluginOptions => ({
  ...settings.driverOptions,
  ...(network.internal ? {} : ports(container, false)),
  ...(network.internal || dns.length === 0 ? {} : { [LABEL.dns]: dns }),
  ...(settings.mac === '' ? {} : { [LABEL.mac]: base64(settings.mac) }),
});
