/**
 * From Docker's PortBindings, EXPOSE and `-P` to the ranges that are held and redirected. Pure but for `pick`, which
 * answers host ports that are free now. Written as plain loops: one container may name ten thousand ports, at each start.
 */
import { invalid } from '../../errors.js';
import type { ContainerConfig, HostConfig } from '../../model/container.js';
import type { ExposedPort, FreePort, PortBinding } from '../../model/port.js';
import { codeOf, portAt, portCode, portRange } from '../../model/port-text.js';
import { joinRuns } from '../../plan/port-runs.js';

const codeOfText = (text: string): number => {
  const code = portCode(text);
  if (code === undefined) throw invalid(`invalid port specification: "${text.slice(0, 64)}"`);
  return code;
};

/** `80/tcp`. Throws invalid; ranges were expanded at the API's door. */
export const parsePort = (text: string): ExposedPort => portAt(codeOfText(text));

const exposedBy = (exposed: object, bindings: object): readonly ExposedPort[] => {
  const names = [...Object.keys(exposed), ...Object.keys(bindings)];
  const codes = new Uint32Array(names.length);
  for (let i = 0; i < names.length; i += 1) codes[i] = codeOfText(names[i] ?? '');
  const ports: ExposedPort[] = [];
  let last = -1;
  for (const code of codes.sort()) {
    if (code !== last) ports.push(portAt(code));
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
  const range = portRange(text || '0');
  if (!range) throw invalid(`invalid publish port: ${text.slice(0, 64)}`);
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
    const code = codeOfText(key);
    for (const { HostIp, HostPort } of PortBindings[key] ?? []) {
      const known = addresses.get(HostIp) ?? hostAddresses(HostIp, anywhere);
      addresses.set(HostIp, known);
      const [from, to] = hostRange(HostPort);
      out.push({ code, addresses: known, from, to });
    }
  }
  if (!PublishAllPorts) return out;
  const named = new Set(out.map(({ code }) => code));
  for (const { protocol, port } of exposedPorts(config, hostConfig)) {
    const code = codeOf(protocol, port);
    if (!named.has(code)) out.push({ code, addresses: anywhere, from: 0, to: 0 });
  }
  return out;
};

/** Host ports by the code of the container's port. */
const portsOf = (bindings: readonly PortBinding[]): ReadonlyMap<number, ReadonlySet<number>> => {
  const ports = new Map<number, Set<number>>();
  for (const { protocol, hostPort, containerPort, count } of bindings)
    for (let i = 0; i < count; i += 1) {
      const code = codeOf(protocol, containerPort + i);
      ports.set(code, (ports.get(code) ?? new Set()).add(hostPort + i));
    }
  return ports;
};

/** By `PortBindings` that name every port of the host: what was decided for addresses, as it would be again. */
const decided = new WeakMap<
  object,
  { readonly anywhere: string; readonly bindings: readonly PortBinding[] }
>();

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
    const { protocol, port: containerPort } = portAt(code);
    taken.add(codeOf(protocol, hostPort));
    for (const hostIp of addresses) bindings.push({ protocol, hostIp, hostPort, containerPort, count: 1 });
  };
  const { PortBindings, PublishAllPorts } = hostConfig;
  const before = PublishAllPorts ? undefined : decided.get(PortBindings);
  if (before?.anywhere === anywhere.join()) return before.bindings;
  const all = wanted(config, hostConfig, anywhere).filter(({ addresses }) => addresses.length > 0);
  const known = portsOf(former);
  for (const each of all) if (each.from > 0 && each.from === each.to) settle(each, each.from);
  for (const each of all) {
    if (each.from > 0 && each.from === each.to) continue;
    const { protocol } = portAt(each.code);
    const isTaken = (port: number): boolean => taken.has(codeOf(protocol, port));
    const kept = [...(known.get(each.code) ?? [])].find(
      (port) => !isTaken(port) && (each.from === 0 || (port >= each.from && port <= each.to)),
    );
    settle(each, kept ?? pick(protocol, each.addresses, each.from, each.to, isTaken));
  }
  const found = joinRuns(bindings);
  const named = all.every(({ from, to }) => from > 0 && from === to);
  if (named && !PublishAllPorts) decided.set(PortBindings, { anywhere: anywhere.join(), bindings: found });
  return found;
};
