/**
 * Where plugins are: `NAME.sock` below the directory of sockets, `NAME.spec` (an address) and `NAME.json` (address and
 * TLS) below those of specifications, each also as `NAME/NAME.…`. Looked up anew each time. Invariant: a name never leads
 * out of these directories.
 */

import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { defined } from '../defined.js';
import { attempt, invalid } from '../errors.js';
import { parseAddress } from '../model/address.js';

export interface PluginDirectories {
  /** default `/run/docker/plugins` */
  readonly sockets: string;
  /** default `/etc/docker/plugins`, `/usr/lib/docker/plugins`; the first that has the name wins */
  readonly specs: readonly string[];
}

interface Tls {
  /** contents of PEM files */
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  /** false: the plugin's certificate is not checked */
  readonly verify: boolean;
}

export type Location =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number; readonly tls?: Tls };

/** Names of one path segment that no shell, URL or log misreads; moby itself would take any. */
const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/;
/** bytes; addresses and a few paths are far below */
const LONGEST_FILE = 65_536;

const isPluginName = (name: string): boolean => NAME.test(name);

export const locationText = (location: Location): string =>
  location.kind === 'unix'
    ? `unix://${location.path}`
    : `${location.tls ? 'https' : 'tcp'}://${location.host}:${location.port}`;

const stat = (path: string) => statSync(path, { throwIfNoEntry: false });

const pathsOf = (directory: string, name: string, extension: string): readonly string[] => [
  join(directory, `${name}${extension}`),
  join(directory, name, `${name}${extension}`),
];

/** False also where it cannot be told: a loop of links, no right to look. */
const is =
  (kind: 'isSocket' | 'isFile') =>
  (path: string): boolean =>
    attempt(() => stat(path)?.[kind]() === true) ?? false;

const content = (path: string): string => {
  if ((stat(path)?.size ?? 0) > LONGEST_FILE)
    throw invalid(`${path} is too long to be a plugin’s specification`);
  return readFileSync(path, 'utf8');
};

const remote = (url: URL, path: string, tls: Tls | undefined): Location => {
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const port = url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port);
  const plain = /^[a-zA-Z0-9.-]+$/.test(host) || parseAddress(host) !== undefined;
  if (!plain) throw invalid(`${path}: no host in the plugin’s address`);
  return { kind: 'tcp', host, port, ...(tls ? { tls } : {}) };
};

/** Only `https://` is encrypted, as in Docker; certificates beside another address would be silently unused. */
const locate = (address: string, path: string, tls: Tls | undefined): Location => {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (url?.protocol === 'unix:' && url.pathname.startsWith('/'))
    return { kind: 'unix', path: decodeURIComponent(url.pathname) };
  if (url?.protocol === 'https:') return remote(url, path, tls ?? { verify: false });
  if (url?.protocol === 'tcp:' || url?.protocol === 'http:') {
    if (tls?.ca !== undefined || tls?.cert !== undefined)
      throw invalid(`${path}: TLSConfig needs an address that begins with https://`);
    return remote(url, path, undefined);
  }
  throw invalid(`${path}: Unknown protocol (unix://, tcp://, http:// and https:// are known)`);
};

const text = z.string().nullish();
const specification = z.object({
  Name: text,
  Addr: z.string(),
  TLSConfig: z
    .object({ CAFile: text, CertFile: text, KeyFile: text, InsecureSkipVerify: z.boolean().nullish() })
    .nullish(),
});

const pem = (path: string | null | undefined): string | undefined => (path ? content(path) : undefined);

/** Without a CA nothing could be checked: Docker then accepts any certificate. */
const tlsOf = (config: z.infer<typeof specification>['TLSConfig']): Tls | undefined => {
  if (!config) return undefined;
  const ca = pem(config.CAFile);
  return {
    ...defined({ ca, cert: pem(config.CertFile), key: pem(config.KeyFile) }),
    verify: ca !== undefined && config.InsecureSkipVerify !== true,
  };
};

const readJson = (path: string): Location => {
  try {
    const { Addr, TLSConfig } = specification.parse(JSON.parse(content(path)));
    return locate(Addr.trim(), path, tlsOf(TLSConfig));
  } catch (cause) {
    if (cause instanceof z.ZodError || cause instanceof SyntaxError)
      throw invalid(`${path} is no plugin’s specification: ${cause.message.slice(0, 200)}`, cause);
    throw cause;
  }
};

const readSpec = (path: string): Location => locate(content(path).trim(), path, undefined);

/** Undefined: no plugin of this name. Throws invalid for a specification that cannot be understood. */
export const locatePlugin = (name: string, directories: PluginDirectories): Location | undefined => {
  if (!isPluginName(name)) return undefined;
  const socket = pathsOf(directories.sockets, name, '.sock').find(is('isSocket'));
  if (socket !== undefined) return { kind: 'unix', path: socket };
  for (const directory of directories.specs) {
    const spec = pathsOf(directory, name, '.spec').find(is('isFile'));
    if (spec !== undefined) return readSpec(spec);
    const json = pathsOf(directory, name, '.json').find(is('isFile'));
    if (json !== undefined) return readJson(json);
  }
  return undefined;
};
