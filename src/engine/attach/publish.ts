/**
 * From Docker's PortBindings, EXPOSE and `-P` to the ranges that are held and redirected. Pure but for `pick`, which
 * answers host ports that are free now. Written as plain loops: one container may name ten thousand ports, at each start.
 */
import { invalid } from '../../errors.js';
import type { ContainerConfig, HostConfig } from '../../model/container.js';
import type { ExposedPort, FreePort, PortBinding, Protocol } from '../../model/port.js';
import { groupBy } from '../../plan/group.js';

/** In the order of their names. A port's code is its protocol's place here and its number: they sort as codes do. */
const PROTOCOLS: readonly Protocol[] = ['sctp', 'tcp', 'udp'];
const [SCTP, TCP, UDP] = [0, 0x10000, 0x20000];
const CODE: Readonly<Record<Protocol, number>> = { sctp: SCTP, tcp: TCP, udp: UDP };
const portOf = (code: number): ExposedPort => ({
  protocol: PROTOCOLS[code >> 16] ?? 'tcp',
  port: code & 0xffff,
});

const ZERO = 48;

/** One to five digits of `text` from `start` to `end`, at most 65535; -1 for any other text. */
const portNumber = (text: string, start: number, end: number): number => {
  if (end <= start || end - start > 5) return -1;
  let number = 0;
  for (let i = start; i < end; i += 1) {
    const digit = text.charCodeAt(i) - ZERO;
    if (digit < 0 || digit > 9) return -1;
    number = number * 10 + digit;
  }
  return number > 65_535 ? -1 : number;
};

/** In any case, up to another slash; -1 for an unknown one. */
const protocolCode = (text: string, slash: number): number => {
  if (slash < 0 || (text.endsWith('/tcp') && slash === text.length - 4)) return TCP;
  const name = text.split('/', 2)[1]?.toLowerCase();
  const found = PROTOCOLS.find((protocol) => protocol === name);
  return found === undefined ? -1 : CODE[found];
};

const portCode = (text: string): number => {
  const slash = text.indexOf('/');
  const port = portNumber(text, 0, slash < 0 ? text.length : slash);
  const protocol = protocolCode(text, slash);
  if (port < 1 || protocol < 0) throw invalid(`invalid port specification: "${text.slice(0, 64)}"`);
  return protocol + port;
};

/** `80/tcp`; the protocol defaults to tcp. Ranges were expanded at the API's door. */
export const parsePort = (text: string): ExposedPort => portOf(portCode(text));

const exposedBy = (exposed: object, bindings: object): readonly ExposedPort[] => {
  const names = [...Object.keys(exposed), ...Object.keys(bindings)];
  const codes = new Uint32Array(names.length);
  for (let i = 0; i < names.length; i += 1) codes[i] = portCode(names[i] ?? '');
  const ports: ExposedPort[] = [];
  let last = -1;
  for (const code of codes.sort()) {
    if (code !== last) ports.push(portOf(code));
    last = code;
  }
  return ports;
};

const NOTHING: object = {};
/** by `PortBindings`, then by `ExposedPorts`: records are never changed in place, and each start asks anew */
const known = new WeakMap<object, WeakMap<object, readonly ExposedPort[]>>();

/** What the image's EXPOSE, `--expose` and `-p` name, once each, by protocol and number. */
export const exposedPorts = (config: ContainerConfig, hostConfig: HostConfig): readonly ExposedPort[] => {
  const { PortBindings } = hostConfig;
  const exposed = config.ExposedPorts ?? NOTHING;
  const beside = known.get(PortBindings) ?? new WeakMap<object, readonly ExposedPort[]>();
  const found = beside.get(exposed) ?? exposedBy(exposed, PortBindings);
  known.set(PortBindings, beside.set(exposed, found));
  return found;
};

/** `8000-8010`, or nothing and 0: any. Throws invalid. */
const hostRange = (text: string): readonly [number, number] => {
  const [from = '', to = from] = (text || '0').split('-', 2);
  const range = [portNumber(from, 0, from.length), portNumber(to, 0, to.length)] as const;
  if (range[0] < 0 || range[0] > range[1]) throw invalid(`invalid publish port: ${text.slice(0, 64)}`);
  return range;
};

const hostAddresses = (hostIp: string, anywhere: readonly string[]): readonly string[] =>
  hostIp === '' ? anywhere : [hostIp.replace(/^\[|\]$/g, '')];

interface Wanted {
  readonly code: number;
  readonly addresses: readonly string[];
  /** 0–0: any */
  readonly from: number;
  readonly to: number;
}

const wanted = (config: ContainerConfig, hostConfig: HostConfig, anywhere: readonly string[]): Wanted[] => {
  const { PortBindings, PublishAllPorts } = hostConfig;
  const out: Wanted[] = [];
  const addresses = new Map([['', anywhere]]);
  for (const key of Object.keys(PortBindings)) {
    const code = portCode(key);
    for (const { HostIp, HostPort } of PortBindings[key] ?? []) {
      const known = addresses.get(HostIp) ?? hostAddresses(HostIp, anywhere);
      addresses.set(HostIp, known);
      const port = portNumber(HostPort, 0, HostPort.length);
      const [from, to] = port > 0 ? [port, port] : hostRange(HostPort);
      out.push({ code, addresses: known, from, to });
    }
  }
  if (!PublishAllPorts) return out;
  const named = new Set(out.map(({ code }) => code));
  for (const { protocol, port } of exposedPorts(config, hostConfig)) {
    const code = CODE[protocol] + port;
    if (!named.has(code)) out.push({ code, addresses: anywhere, from: 0, to: 0 });
  }
  return out;
};

const byPorts = (a: PortBinding, b: PortBinding): number =>
  a.hostPort - b.hostPort || a.containerPort - b.containerPort;

/** Of one protocol and address, sorted. */
const joinSorted = (bindings: readonly PortBinding[]): readonly PortBinding[] => {
  const runs: PortBinding[] = [];
  let first: PortBinding | undefined;
  let count = 0;
  for (const binding of bindings) {
    const { hostPort, containerPort } = binding;
    if (first && first.hostPort + count === hostPort && first.containerPort + count === containerPort) {
      count += binding.count;
      continue;
    }
    if (first) runs.push({ ...first, count });
    first = binding;
    count = binding.count;
  }
  if (first) runs.push({ ...first, count });
  return runs;
};

/** By a text of each, in the order of the texts. */
const grouped = <T>(all: readonly T[], textOf: (each: T) => string): (readonly [string, readonly T[]])[] =>
  [...groupBy(all, textOf)].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));

/** Joins neighbours whose host and container ports both go on by one; by protocol, address and ports. */
export const joinRuns = (bindings: readonly PortBinding[]): readonly PortBinding[] =>
  grouped(bindings, (b) => b.protocol).flatMap(([, ofProtocol]) =>
    grouped(ofProtocol, (b) => b.hostIp).flatMap(([, ofAddress]) => joinSorted([...ofAddress].sort(byPorts))),
  );

/** Host ports by the code of the container's port. */
const portsOf = (bindings: readonly PortBinding[]): ReadonlyMap<number, ReadonlySet<number>> => {
  const ports = new Map<number, Set<number>>();
  for (const { protocol, hostPort, containerPort, count } of bindings)
    for (let i = 0; i < count; i += 1) {
      const code = CODE[protocol] + containerPort + i;
      ports.set(code, (ports.get(code) ?? new Set()).add(hostPort + i));
    }
  return ports;
};

/**
 * Every binding with its host port decided: fixed ones first, so that a free one is never taken from under them.
 * `anywhere`: where those are published that name no address. `former`: where they were, whose ports they keep.
 */
export const resolveBindings = (
  config: ContainerConfig,
  hostConfig: HostConfig,
  anywhere: readonly string[],
  pick: FreePort,
  former: readonly PortBinding[] = [],
): readonly PortBinding[] => {
  const bindings: PortBinding[] = [];
  /** codes of host ports */
  const taken = new Set<number>();
  const settle = ({ code, addresses }: Wanted, hostPort: number): void => {
    const { protocol, port: containerPort } = portOf(code);
    taken.add(CODE[protocol] + hostPort);
    for (const hostIp of addresses) bindings.push({ protocol, hostIp, hostPort, containerPort, count: 1 });
  };
  const all = wanted(config, hostConfig, anywhere).filter(({ addresses }) => addresses.length > 0);
  const known = portsOf(former);
  for (const each of all) if (each.from > 0 && each.from === each.to) settle(each, each.from);
  for (const each of all) {
    if (each.from > 0 && each.from === each.to) continue;
    const { protocol } = portOf(each.code);
    const isTaken = (port: number): boolean => taken.has(CODE[protocol] + port);
    const kept = [...(known.get(each.code) ?? [])].find(
      (port) => !isTaken(port) && (each.from === 0 || (port >= each.from && port <= each.to)),
    );
    settle(each, kept ?? pick(protocol, each.addresses, each.from, each.to, isTaken));
  }
  return joinRuns(bindings);
};
