/**
 * The text of /etc/resolv.conf: the host's read, a container's written, line by line as Docker does (moby:
 * daemon/libnetwork/internal/resolvconf). Pure.
 */

import { isIPv4 } from 'node:net';
import { addressBytes, addressText } from '../model/address-bytes.js';
import type { SandboxDns } from '../model/endpoint.js';

const RESOLVER = '127.0.0.11';
/** A value that holds a line end would make lines of its own. */
const oneLine = (text: string): string => text.replace(/[\r\n\0]/g, '');

/** A resolv.conf as read. */
export interface ResolvConf {
  /** where it was read, for the comment */
  readonly path: string;
  /** canonical addresses, IPv6 with its zone where it has one */
  readonly servers: readonly string[];
  readonly search: readonly string[];
  readonly options: readonly string[];
  /** lines with directives we do not know, verbatim */
  readonly other: readonly string[];
  /** what stood after `nameserver` and is no address */
  readonly invalid: readonly string[];
}

export const EMPTY_RESOLV_CONF: ResolvConf = {
  path: '/etc/resolv.conf',
  servers: [],
  search: [],
  options: [],
  other: [],
  invalid: [],
};

const serverAddress = (text: string): string | undefined => {
  const [address = '', zone] = text.split('%', 2);
  const bytes = addressBytes(address);
  return bytes && `${addressText(bytes)}${zone === undefined ? '' : `%${zone}`}`;
};

/** resolv.conf(5): the last `search` (or `domain`) counts, options add up. Takes any text. */
export const parseResolvConf = (text: string, path: string = EMPTY_RESOLV_CONF.path): ResolvConf => {
  const servers: string[] = [];
  const options: string[] = [];
  const other: string[] = [];
  const bad: string[] = [];
  let search: readonly string[] = [];
  for (const line of text.split(/\r?\n/)) {
    if (line.startsWith('#') || line.startsWith(';')) continue;
    const [word, ...values] = line.split(/[ \t]+/).filter((field) => field !== '');
    if (word === undefined) continue;
    const [first] = values;
    if (word === 'nameserver') {
      if (first === undefined) continue;
      const address = serverAddress(first);
      if (address === undefined) bad.push(first);
      else servers.push(address);
    } else if (word === 'search' || word === 'domain') {
      if (first !== undefined) search = values;
    } else if (word === 'options') options.push(...values);
    else other.push(line);
  }
  return { path, servers, search, options, other, invalid: bad };
};

/** What the user asked: the container's `--dns*`, or else the daemon's; an empty list asks nothing. */
export interface DnsOverrides {
  readonly servers: readonly string[];
  readonly search: readonly string[];
  readonly options: readonly string[];
}

const chosen = (own: readonly string[] | null | undefined, daemon: readonly string[]): readonly string[] =>
  own && own.length > 0 ? own : daemon;

/** The container's settings win, each by itself, over the daemon's. */
export const dnsOverrides = (
  container: {
    readonly Dns?: readonly string[] | null;
    readonly DnsSearch?: readonly string[] | null;
    readonly DnsOptions?: readonly string[] | null;
  },
  daemon: {
    readonly dns: readonly string[];
    readonly dnsSearch: readonly string[];
    readonly dnsOptions: readonly string[];
  },
): DnsOverrides => ({
  servers: chosen(container.Dns, daemon.dns),
  search: chosen(container.DnsSearch, daemon.dnsSearch),
  options: chosen(container.DnsOptions, daemon.dnsOptions),
});

/**
 * `embedded`: user-defined networks, 127.0.0.11; `legacy`: the default bridge, no resolver of ours; `host`: the host's
 * namespace, its file as it is.
 */
export type ResolvConfMode = 'embedded' | 'legacy' | 'host';

export interface ResolvConfRequest {
  readonly host: ResolvConf;
  readonly overrides: DnsOverrides;
  readonly mode: ResolvConfMode;
  /** the network has IPv6 (counts with `legacy` alone) */
  readonly ipv6: boolean;
}

/** Servers for containers whose host names none that they could reach. */
const FALLBACK_IPV4: readonly string[] = ['8.8.8.8', '8.8.4.4'];
const FALLBACK_IPV6: readonly string[] = ['2001:4860:4860::8888', '2001:4860:4860::8844'];

const isLoopback = (address: string): boolean =>
  address.startsWith('127.') || address === '::1' || address.startsWith('::ffff:127.');

/** The host's servers that a container can reach too; none left: Google's, as Docker falls back. */
export const upstreamsFromHost = (
  host: ResolvConf,
  ipv6: boolean,
): { readonly servers: readonly string[]; readonly fallback: boolean } => {
  const servers = host.servers.filter((a) => !isLoopback(a) && (ipv6 || isIPv4(a)));
  if (servers.length > 0) return { servers, fallback: false };
  return { servers: [...FALLBACK_IPV4, ...(ipv6 ? FALLBACK_IPV6 : [])], fallback: true };
};

/** The settings that the embedded resolver works by. */
export const sandboxDns = (host: ResolvConf, overrides: DnsOverrides, embedded: boolean): SandboxDns => ({
  embedded,
  servers: overrides.servers.length > 0 ? overrides.servers : host.servers,
  hostServers: overrides.servers.length === 0,
  search: overrides.search.length > 0 ? overrides.search.filter((s) => s !== '.') : host.search,
  options: overrides.options.length > 0 ? overrides.options : host.options,
});

const hasOption = (options: readonly string[], name: string): boolean =>
  options.some((option) => option.split(':', 1)[0] === name);

const validNdots = (option: string): boolean =>
  option.split(':', 1)[0] !== 'ndots' || /^ndots:\d+$/.test(option);

interface Settings {
  readonly servers: readonly string[];
  readonly search: readonly string[];
  readonly options: readonly string[];
  readonly ndotsFrom: string;
  readonly comments: readonly string[];
}

const serversOf = (request: ResolvConfRequest): Pick<Settings, 'servers' | 'comments'> => {
  const { host, overrides, mode } = request;
  const named = overrides.servers.length > 0;
  const servers = named ? overrides.servers : host.servers;
  if (mode === 'embedded') {
    const external = servers.map((address) => (named ? address : `host(${address})`)).join(' ');
    const comment = servers.length > 0 ? `ExtServers: [${external}]` : 'NO EXTERNAL NAMESERVERS DEFINED';
    return { servers: [RESOLVER], comments: [comment] };
  }
  if (mode === 'host' || named) return { servers, comments: [] };
  const usable = upstreamsFromHost(host, request.ipv6);
  return { servers: usable.servers, comments: usable.fallback ? ['Used default nameservers.'] : [] };
};

const optionsOf = ({ host, overrides, mode }: ResolvConfRequest): Pick<Settings, 'options' | 'ndotsFrom'> => {
  const named = overrides.options.length > 0;
  const options = named ? overrides.options : host.options;
  const origin = hasOption(options, 'ndots') ? (named ? 'override' : 'host') : '';
  if (mode !== 'embedded') return { options, ndotsFrom: origin };
  const valid = options.filter(validNdots);
  return hasOption(valid, 'ndots')
    ? { options: valid, ndotsFrom: origin }
    : { options: [...valid, 'ndots:0'], ndotsFrom: 'internal' };
};

const HEADER = `# Generated by Docker Engine.
# This file can be edited; Docker Engine will not make further changes once it
# has been modified.
`;

const TRANSFORM = { embedded: ' (internal resolver)', legacy: ' (legacy)', host: '' } as const;

const footer = (request: ResolvConfRequest, settings: Settings): readonly string[] => {
  const { host, overrides, mode } = request;
  const kinds = [
    ...(overrides.servers.length > 0 ? ['nameservers'] : []),
    ...(overrides.search.length > 0 ? ['search'] : []),
    ...(overrides.options.length > 0 ? ['options'] : []),
  ];
  return [
    `Based on host file: '${host.path}'${TRANSFORM[mode]}`,
    ...settings.comments,
    ...(host.invalid.length > 0 ? [`Invalid nameservers: [${host.invalid.join(' ')}]`] : []),
    `Overrides: [${kinds.join(' ')}]`,
    ...(settings.ndotsFrom === '' ? [] : [`Option ndots from: ${settings.ndotsFrom}`]),
  ].map((line) => `# ${line}`);
};

/** The whole of /etc/resolv.conf. */
export const resolvConfText = (request: ResolvConfRequest): string => {
  const { search } = sandboxDns(request.host, request.overrides, false);
  const settings: Settings = { ...serversOf(request), search, ...optionsOf(request) };
  return [
    HEADER,
    ...settings.servers.map((address) => `nameserver ${address}`),
    ...(search.length > 0 ? [`search ${search.join(' ')}`] : []),
    ...(settings.options.length > 0 ? [`options ${settings.options.join(' ')}`] : []),
    ...request.host.other,
    '',
    ...footer(request, settings),
    '',
  ]
    .map((line, i) => (i > 0 ? oneLine(line) : line))
    .join('\n');
};
