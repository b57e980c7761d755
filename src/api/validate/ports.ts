/**
 * Port specifications, checked as moby's network.ParsePort and validatePortBindings do. Written as plain loops: one
 * request may carry ten thousand of them.
 */
import { isIP } from 'node:net';
import { invalid } from '../../errors.js';
import type { DockerPortBinding } from '../../model/container.js';

export type PortBindings = Readonly<Record<string, readonly DockerPortBinding[] | null>>;

const bad = (text: string): Error =>
  invalid(`invalid port specification: ${JSON.stringify(text.slice(0, 100))}`);

/** 0–65535; undefined for other text. */
function portNumber(text: string): number | undefined {
  if (text.length === 0 || text.length > 16) return undefined;
  let number = 0;
  for (let i = 0; i < text.length; i += 1) {
    const digit = text.charCodeAt(i) - 48;
    if (digit < 0 || digit > 9) return undefined;
    number = number * 10 + digit;
    if (number > 65535) return undefined;
  }
  return number;
}

const isProtocol = (text: string): boolean => text === 'tcp' || text === 'udp' || text === 'sctp';

/** `80`, `80/TCP` → `80/tcp`. Throws invalid `invalid port specification: "…"`; port 0 is none. */
export function normalisePort(text: string): string {
  const slash = text.indexOf('/');
  const number = portNumber(slash < 0 ? text : text.slice(0, slash));
  const protocol = slash < 0 || slash === text.length - 1 ? 'tcp' : text.slice(slash + 1).toLowerCase();
  if (number === undefined || number === 0 || !isProtocol(protocol)) throw bad(text);
  return `${number}/${protocol}`;
}

/** The host's side: empty and `0` leave the choice to the host; `8000-8010` lets it choose in a range. */
function checkHostPort(text: string): void {
  const dash = text.indexOf('-');
  if (dash < 0) {
    if (portNumber(text) === undefined) throw bad(text);
    return;
  }
  const start = portNumber(text.slice(0, dash));
  const end = portNumber(text.slice(dash + 1));
  if (start === undefined || end === undefined || end < start) throw bad(text);
}

/** `HostConfig.PortBindings` with canonical keys. Throws invalid for the first entry that is none. */
export function normalisePortBindings(value: Readonly<Record<string, unknown>>): PortBindings {
  const bindings: Record<string, readonly DockerPortBinding[]> = {};
  const addresses = new Set<string>();
  for (const key of Object.keys(value)) {
    const port = normalisePort(key);
    const list = value[key];
    if (list !== null && !Array.isArray(list))
      throw invalid(`invalid JSON: PortBindings of ${port}: expected a list`);
    const before = bindings[port];
    const read = (list ?? []).map((entry: unknown) => readBinding(port, entry, addresses));
    // An empty list is one binding that leaves everything to the host (moby's handlePortBindingsBC).
    bindings[port] = [...(before ?? []), ...(read.length === 0 ? [{ HostIp: '', HostPort: '' }] : read)];
  }
  return bindings;
}

function readBinding(port: string, entry: unknown, addresses: Set<string>): DockerPortBinding {
  if (entry === null) return { HostIp: '', HostPort: '' };
  if (typeof entry !== 'object') throw invalid(`invalid JSON: PortBindings of ${port}: expected objects`);
  const HostIp = textField(port, entry, 'HostIp', 'HostIP');
  const HostPort = textField(port, entry, 'HostPort', 'hostPort');
  if (HostPort !== '') checkHostPort(HostPort);
  if (HostIp !== '' && !addresses.has(HostIp)) {
    // Ten thousand bindings name one address; it is looked at once.
    if (isIP(HostIp) === 0)
      throw invalid(`invalid IP address in port binding of ${port}: ${HostIp.slice(0, 100)}`);
    addresses.add(HostIp);
  }
  return { HostIp, HostPort };
}

function textField(port: string, entry: object, name: string, variant: string): string {
  const found: unknown = Reflect.get(entry, name) ?? Reflect.get(entry, variant) ?? '';
  if (typeof found !== 'string')
    throw invalid(`invalid JSON: PortBindings of ${port}: ${name}: expected a text`);
  return found;
}

/** `Config.ExposedPorts` with canonical keys. */
export function normaliseExposedPorts(
  value: Readonly<Record<string, unknown>>,
): Readonly<Record<string, object>> {
  const exposed: Record<string, object> = {};
  for (const key of Object.keys(value)) exposed[normalisePort(key)] = {};
  return exposed;
}

/** `80/tcp` or `80-90/udp` of a filter as `port/protocol` texts. Throws invalid. */
export function expandPortRange(text: string): readonly string[] {
  const slash = text.indexOf('/');
  const range = slash < 0 ? text : text.slice(0, slash);
  const protocol = slash < 0 || slash === text.length - 1 ? 'tcp' : text.slice(slash + 1).toLowerCase();
  const dash = range.indexOf('-');
  const start = portNumber(dash < 0 ? range : range.slice(0, dash));
  const end = dash < 0 ? start : portNumber(range.slice(dash + 1));
  if (start === undefined || end === undefined || end < start || !isProtocol(protocol)) throw bad(text);
  return Array.from({ length: end - start + 1 }, (_, i) => `${start + i}/${protocol}`);
}
