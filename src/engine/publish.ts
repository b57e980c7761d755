/**
 * From Docker's PortBindings, EXPOSE and `-P` to the ranges that are held and redirected. Pure but for `pick`, which
 * answers host ports that are free now.
 */
import { invalid } from '../errors.js';
import type { ContainerConfig, HostConfig } from '../model/container.js';
import type { ExposedPort, PortBinding, Protocol } from '../model/port.js';

/** Answers a host port of [from, to] (0, 0: the ephemeral range) that nobody holds on any of the addresses. */
export type PickPort = (
  protocol: Protocol,
  addresses: readonly string[],
  from: number,
  to: number,
  taken: (port: number) => boolean,
) => number;

interface Wanted {
  readonly protocol: Protocol;
  readonly addresses: readonly string[];
  readonly containerPort: number;
  /** 0–0: any */
  readonly from: number;
  readonly to: number;
}

const PROTOCOLS: readonly Protocol[] = ['tcp', 'udp', 'sctp'];
const isProtocol = (text: string): text is Protocol => (PROTOCOLS as readonly string[]).includes(text);

/** `80/tcp`; the protocol defaults to tcp. Ranges were expanded at the API's door. */
export const parsePort = (text: string): ExposedPort => {
  const [port = '', protocol = 'tcp'] = text.split('/', 2);
  const number = /^\d{1,5}$/.test(port) ? Number(port) : 0;
  if (number < 1 || number > 65535 || !isProtocol(protocol.toLowerCase()))
    throw invalid(`invalid port specification: "${text.slice(0, 64)}"`);
  return { protocol: protocol.toLowerCase() as Protocol, port: number };
};

/** What the image's EXPOSE, `--expose` and `-p` name, once each, by protocol and number. */
export const exposedPorts = (config: ContainerConfig, hostConfig: HostConfig): readonly ExposedPort[] => {
  const names = new Set([...Object.keys(config.ExposedPorts ?? {}), ...Object.keys(hostConfig.PortBindings)]);
  const ports = [...names].map(parsePort);
  return ports.sort((a, b) => (a.protocol < b.protocol ? -1 : a.protocol > b.protocol ? 1 : a.port - b.port));
};

const hostRange = (text: string): readonly [number, number] => {
  if (text === '' || text === '0') return [0, 0];
  const [from = '', to = from] = text.split('-', 2);
  if (!/^\d{1,5}$/.test(from) || !/^\d{1,5}$/.test(to) || Number(to) > 65535 || Number(from) > Number(to))
    throw invalid(`invalid publish port: ${text.slice(0, 64)}`);
  return [Number(from), Number(to)];
};

/** An empty host address means the daemon's `--ip`; 0.0.0.0 by default, which Docker takes to mean both families. */
const hostAddresses = (hostIp: string, host: { hostIp: string; ipv6: boolean }): readonly string[] => {
  if (hostIp !== '') return [hostIp.replace(/^\[|\]$/g, '')];
  if (host.hostIp !== '0.0.0.0') return [host.hostIp];
  return host.ipv6 ? ['0.0.0.0', '::'] : ['0.0.0.0'];
};

const wanted = (
  config: ContainerConfig,
  hostConfig: HostConfig,
  host: { hostIp: string; ipv6: boolean },
): Wanted[] => {
  const out: Wanted[] = [];
  for (const [key, list] of Object.entries(hostConfig.PortBindings)) {
    const { protocol, port } = parsePort(key);
    for (const binding of list ?? []) {
      const [from, to] = hostRange(binding.HostPort ?? '');
      out.push({
        protocol,
        addresses: hostAddresses(binding.HostIp ?? '', host),
        containerPort: port,
        from,
        to,
      });
    }
  }
  if (!hostConfig.PublishAllPorts) return out;
  for (const { protocol, port } of exposedPorts(config, hostConfig)) {
    if (out.some((w) => w.protocol === protocol && w.containerPort === port)) continue;
    out.push({ protocol, addresses: hostAddresses('', host), containerPort: port, from: 0, to: 0 });
  }
  return out;
};

/** Joins neighbours whose host and container ports both go on by one. */
export const joinRuns = (bindings: readonly PortBinding[]): readonly PortBinding[] => {
  const sorted = [...bindings].sort(
    (a, b) =>
      (a.protocol < b.protocol ? -1 : a.protocol > b.protocol ? 1 : 0) ||
      (a.hostIp < b.hostIp ? -1 : a.hostIp > b.hostIp ? 1 : 0) ||
      a.hostPort - b.hostPort ||
      a.containerPort - b.containerPort,
  );
  const runs: PortBinding[] = [];
  for (const b of sorted) {
    const last = runs.at(-1);
    const follows =
      last !== undefined &&
      last.protocol === b.protocol &&
      last.hostIp === b.hostIp &&
      last.hostPort + last.count === b.hostPort &&
      last.containerPort + last.count === b.containerPort;
    if (follows) runs[runs.length - 1] = { ...last, count: last.count + b.count };
    else runs.push(b);
  }
  return runs;
};

/** Every binding with its host port decided: fixed ones first, so that a free one is never taken from under them. */
export const resolveBindings = (
  config: ContainerConfig,
  hostConfig: HostConfig,
  host: { hostIp: string; ipv6: boolean },
  pick: PickPort,
): readonly PortBinding[] => {
  const all = wanted(config, hostConfig, host);
  const expand = (w: Wanted, hostPort: number): PortBinding[] =>
    w.addresses.map((hostIp) => ({
      protocol: w.protocol,
      hostIp,
      hostPort,
      containerPort: w.containerPort,
      count: 1,
    }));
  const fixed = all.filter((w) => w.from > 0 && w.from === w.to).flatMap((w) => expand(w, w.from));
  const taken = new Set(fixed.map((b) => `${b.protocol} ${b.hostPort}`));
  const chosen = all
    .filter((w) => w.from === 0 || w.from !== w.to)
    .flatMap((w) => {
      const port = pick(w.protocol, w.addresses, w.from, w.to, (p) => taken.has(`${w.protocol} ${p}`));
      taken.add(`${w.protocol} ${port}`);
      return expand(w, port);
    });
  return joinRuns([...fixed, ...chosen]);
};
