/**
 * Port specifications, checked as moby's network.ParsePort and validatePortBindings do. Written as plain loops: one
 * request may carry ten thousand of them.
 */
import { isIP } from 'node:net';
import { invalid } from '../../errors.js';
import type { DockerPortBinding } from '../../model/container.js';
import {
  codesOf,
  isCanonical as isCanonicalPort,
  portCode,
  portRange,
  protocolOf,
  textAt,
} from '../../model/port-text.js';

export type PortBindings = Readonly<Record<string, readonly DockerPortBinding[] | null>>;

const bad = (text: string): Error =>
  invalid(`invalid port specification: ${JSON.stringify(text.slice(0, 100))}`);

/** `80`, `80/TCP` → `80/tcp`. Throws invalid `invalid port specification: "…"`; port 0 is none. */
const normalisePort = (text: string): string => {
  const code = portCode(text);
  if (code === undefined) throw bad(text);
  // The usual text is canonical already; keeping the very same one saves ten thousand strings.
  return isCanonicalPort(text, code) ? text : textAt(code);
};

/**
 * `HostConfig.PortBindings` with canonical keys: the very same object where nothing had to be changed, as with Docker's
 * own client. Throws invalid for the first entry that is none.
 */
export const normalisePortBindings = (value: Readonly<Record<string, unknown>>): PortBindings => {
  const addresses = new Set<string>();
  const read: [string, readonly DockerPortBinding[]][] = [];
  let changed = false;
  for (const key of Object.keys(value)) {
    const sent = value[key];
    const port = normalisePort(key);
    const list = readBindings(port, sent, addresses);
    changed ||= port !== key || list !== sent;
    read.push([port, list]);
  }
  // each of its lists was read, and is what was read
  return changed ? joinLists(read) : (value as PortBindings);
};

/** `80` and `80/tcp` are one port. */
const joinLists = (lists: readonly (readonly [string, readonly DockerPortBinding[]])[]): PortBindings => {
  const joined = new Map<string, readonly DockerPortBinding[]>();
  for (const [port, list] of lists) {
    const before = joined.get(port);
    joined.set(port, before === undefined ? list : [...before, ...list]);
  }
  return Object.fromEntries(joined);
};

/** null or an empty list is one binding that leaves everything to the host (moby's handlePortBindingsBC). */
const ANYWHERE: readonly DockerPortBinding[] = [{ HostIp: '', HostPort: '' }];

const readBindings = (port: string, value: unknown, addresses: Set<string>): readonly DockerPortBinding[] => {
  if (value === null) return ANYWHERE;
  if (!Array.isArray(value)) throw invalid(`invalid JSON: PortBindings of ${port}: expected a list`);
  if (value.length === 0) return ANYWHERE;
  const read = value.map((entry: unknown) => readBinding(port, entry, addresses));
  return read.every((binding, i) => binding === value[i]) ? value : read;
};

/** Exactly what `readBinding` would make of it. */
const isCanonical = (entry: object): entry is { HostIp: string; HostPort: string } => {
  for (const name in entry) if (name !== 'HostIp' && name !== 'HostPort') return false;
  return (
    'HostIp' in entry &&
    typeof entry.HostIp === 'string' &&
    'HostPort' in entry &&
    typeof entry.HostPort === 'string'
  );
};

const readBinding = (port: string, entry: unknown, addresses: Set<string>): DockerPortBinding => {
  if (entry === null) return { HostIp: '', HostPort: '' };
  if (typeof entry !== 'object') throw invalid(`invalid JSON: PortBindings of ${port}: expected objects`);
  const HostIp = 'HostIp' in entry ? entry.HostIp : 'HostIP' in entry ? entry.HostIP : '';
  const HostPort = 'HostPort' in entry ? entry.HostPort : '';
  const ip = textOf(port, 'HostIp', HostIp);
  const hostPort = textOf(port, 'HostPort', HostPort);
  // The host's side: empty and `0` leave the choice to the host; `8000-8010` lets it choose in a range.
  if (hostPort !== '' && !portRange(hostPort)) throw bad(hostPort);
  if (ip !== '' && !addresses.has(ip)) {
    // Ten thousand bindings name one address; it is looked at once.
    if (isIP(ip) === 0) throw invalid(`invalid IP address in port binding of ${port}: ${ip.slice(0, 100)}`);
    addresses.add(ip);
  }
  return isCanonical(entry) ? entry : { HostIp: ip, HostPort: hostPort };
};

const textOf = (port: string, name: string, value: unknown): string => {
  if (typeof value === 'string') return value;
  if (value === null || value === undefined) return '';
  throw invalid(`invalid JSON: PortBindings of ${port}: ${name}: expected a text`);
};

const EXPOSED: object = {};

/** `Config.ExposedPorts` with canonical keys. */
export const normaliseExposedPorts = (
  value: Readonly<Record<string, unknown>>,
): Readonly<Record<string, object>> => {
  const exposed: [string, object][] = Object.keys(value).map((key) => [normalisePort(key), EXPOSED]);
  return Object.fromEntries(exposed);
};

/** Codes of `80/tcp` or `80-90/udp` of a filter. Throws invalid. */
export const portsOfFilter = (text: string): readonly number[] => {
  const slash = text.indexOf('/');
  const range = portRange(slash < 0 ? text : text.slice(0, slash));
  const protocol = protocolOf(slash < 0 ? '' : text.slice(slash + 1));
  if (!range || !protocol) throw bad(text);
  return codesOf(protocol, range);
};
