/** What a setting's text must look like before anything is started with it. Each check answers the canonical text or throws. */

import { isAbsolute, resolve } from 'node:path';
import { invalid } from '../errors.js';
import {
  contains,
  formatAddress,
  formatPrefix,
  masked,
  parseAddress,
  parsePrefix,
  shown,
  width,
} from '../ipam/address.js';
import type { SplitPool } from '../ipam/defaults.js';
import type { Family } from '../model/network.js';
import type { DaemonConfig } from './contract.js';
import type { TextMap } from './kinds.js';

export const address = (name: string, text: string, family?: Family): string => {
  const parsed = parseAddress(text);
  if (!parsed) throw invalid(`invalid ${name}: IP address is not correctly formatted: ${shown(text)}`);
  if (family && parsed.family !== family)
    throw invalid(`invalid ${name}: ${shown(text)} is not an IPv${family} address`);
  return formatAddress(parsed);
};

/** An address with a prefix length. `network`: host bits are cut off; else they are what is meant. */
export const cidr = (name: string, text: string, family: Family, network: boolean): string => {
  const parsed = parsePrefix(text);
  if (!parsed) throw invalid(`invalid ${name}: invalid CIDR address: ${shown(text)}`);
  if (parsed.family !== family)
    throw invalid(`invalid ${name}: ${shown(text)} is not an IPv${family} network`);
  return formatPrefix(network ? masked(parsed) : parsed);
};

/** `inner` (an address or a CIDR) lies in `outer`; both of the same family, already checked. */
export const inside = (name: string, inner: string, outerName: string, outer: string): void => {
  const small = parsePrefix(inner) ?? parseAddress(inner);
  const large = parsePrefix(outer);
  const fits =
    small && large && contains(large, small) && !('bits' in small && Number(small.bits) < large.bits);
  if (!fits) throw invalid(`invalid ${name}: ${inner} is not inside ${outerName} ${outer}`);
};

export const pool = ({ base, size }: SplitPool): SplitPool => {
  const parsed = parsePrefix(base);
  if (!parsed) throw invalid(`invalid base prefix "${shown(base)}": invalid CIDR address`);
  if (size < parsed.bits || size > width(parsed.family)) {
    throw invalid(
      `invalid default-address-pool ${shown(base)}: size ${size} must be between ${parsed.bits} and ${width(parsed.family)}`,
    );
  }
  return { base: formatPrefix(masked(parsed)), size };
};

const DOMAIN = /^(?!-)[a-z0-9_-]{1,63}(?<!-)(\.(?!-)[a-z0-9_-]{1,63}(?<!-))*\.?$/i;
const LONGEST_DOMAIN = 255;

/** A search domain; `.` means none at all. */
export const searchDomain = (text: string): string => {
  const trimmed = text.trim();
  if (trimmed === '.') return trimmed;
  if (trimmed.length > LONGEST_DOMAIN || !DOMAIN.test(trimmed))
    throw invalid(`${shown(text)} is not a valid domain`);
  return trimmed;
};

/** At most one address of each family. */
export const hostGatewayIps = (texts: readonly string[]): readonly string[] => {
  const addresses = texts
    .flatMap((text) => text.split(','))
    .map((text) => address('host-gateway-ip', text.trim()));
  for (const family of [4, 6] as const) {
    if (addresses.filter((each) => parseAddress(each)?.family === family).length > 1) {
      throw invalid(`only one IPv${family} host gateway IP address can be specified`);
    }
  }
  return addresses;
};

/** `key=value` labels; one key with two values is an error, repeated ones count once. */
export const labels = (texts: readonly string[]): readonly string[] => {
  const values = new Map<string, string>();
  for (const text of texts) {
    const at = text.indexOf('=');
    if (at <= 0) throw invalid(`bad attribute format: ${shown(text)}`);
    const [key, value] = [text.slice(0, at), text.slice(at + 1)];
    const before = values.get(key);
    if (before !== undefined && before !== value) {
      throw invalid(`conflict labels for ${key}=${value} and ${key}=${before}`);
    }
    values.set(key, value);
  }
  return [...values].map(([key, value]) => `${key}=${value}`);
};

/** The log levels of dockerd, brought to ours. */
const LOG_LEVELS: ReadonlyMap<string, DaemonConfig['logLevel']> = new Map([
  ['trace', 'debug'],
  ['debug', 'debug'],
  ['info', 'info'],
  ['warn', 'warn'],
  ['error', 'error'],
  ['fatal', 'fatal'],
  ['panic', 'fatal'],
]);

export const logLevel = (text: string): DaemonConfig['logLevel'] => {
  const level = LOG_LEVELS.get(text.toLowerCase());
  if (!level) throw invalid(`invalid logging level: ${shown(text)}`);
  return level;
};

const LONGEST_SOCKET_PATH = 107; // include/uapi/linux/un.h: sun_path[108] with its NUL
const DEFAULT_HOST = 'unix:///var/run/docker.sock';

const unixHost = (text: string, path: string): string => {
  if (path === '') return DEFAULT_HOST;
  if (!isAbsolute(path))
    throw invalid(`Invalid bind address (${shown(text)}): the socket's path must be absolute`);
  if (Buffer.byteLength(path) > LONGEST_SOCKET_PATH) {
    throw invalid(
      `Invalid bind address (${shown(text)}): a unix socket's path has at most ${LONGEST_SOCKET_PATH} bytes`,
    );
  }
  return `unix://${path}`;
};

/** `HOST:PORT`, `:PORT`, `[::1]:PORT`, `HOST`; missing parts are localhost and Docker's port for this kind of connection. */
const tcpHost = (text: string, rest: string, secure: boolean): string => {
  const match = /^(?<host>\[[^\]]{0,45}\]|[^:/]{0,253})(?::(?<port>\d{0,5}))?\/?$/.exec(rest);
  const port = Number(match?.groups?.port || (secure ? 2376 : 2375));
  if (!match || port > 65535) throw invalid(`Invalid bind address format: ${shown(text)}`);
  return `tcp://${match.groups?.host || 'localhost'}:${port}`;
};

/** A `-H` value in full: `unix:///path`, `tcp://host:port`, `fd://…`. */
export const host = (text: string, secure: boolean): string => {
  const trimmed = text.trim();
  if (trimmed === '') return secure ? tcpHost(text, '', secure) : DEFAULT_HOST;
  const [scheme, rest] = trimmed.includes('://') ? trimmed.split(/:\/\/(.*)/s) : ['tcp', trimmed];
  if (scheme === 'unix') return unixHost(text, rest ?? '');
  if (scheme === 'tcp') return tcpHost(text, rest ?? '', secure);
  if (scheme === 'fd') return `fd://${rest ?? ''}`;
  throw invalid(`Invalid bind address format: ${shown(text)}`);
};

export const absolutePath = (name: string, text: string): string => {
  if (!isAbsolute(text) || text.includes('\0'))
    throw invalid(`invalid ${name}: ${shown(text)} is not an absolute path`);
  return text;
};

/** A relative one is meant from where the daemon was started. */
export const path = (name: string, text: string): string => absolutePath(name, resolve(text));

/** Between `least` and `most`, both included. */
export const within = (name: string, value: number, least: number, most: number): number => {
  if (value < least || value > most) throw invalid(`invalid ${name}: ${value}`);
  return value;
};

/** Drivers' default options; that a driver knows its options is checked when a network is made. */
export const driverOptions = (
  byDriver: Readonly<Record<string, TextMap>>,
): Readonly<Record<string, Readonly<Record<string, string>>>> => {
  for (const [driver, options] of Object.entries(byDriver)) {
    if (driver === '' || Object.keys(options).includes('')) {
      throw invalid('invalid default-network-opt: must be driver=option=value');
    }
  }
  return byDriver;
};

/** An interface name as the kernel takes it: IFNAMSIZ (16 with its NUL), no slash, no space. */
export const interfaceName = (name: string, text: string): string => {
  if (text !== '' && (!/^[^\s/:]{1,15}$/.test(text) || text === '.' || text === '..')) {
    throw invalid(`invalid ${name}: ${shown(text)} is no interface name`);
  }
  return text;
};
