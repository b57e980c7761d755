/** `--cluster-store`, `--cluster-advertise` and `--cluster-store-opt`: a cluster without swarm. Pure. */
import { invalid } from '../errors.js';
import { formatAddress, parseAddress, shown } from '../ipam/address.js';
import type { ClusterConfig } from './contract.js';
import type { TextMap } from './kinds.js';
import * as values from './values.js';

const ETCD_PORT = 2379;
const HOSTNAME = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/i;
/** Characters that no key's text has to be wary of. */
const PATH = /^[A-Za-z0-9._~/-]*$/;

const portOf = (name: string, text: string): number =>
  values.within(`${name} port`, /^\d{1,5}$/.test(text) ? Number(text) : -1, 1, 65_535);

/** `HOST`, `HOST:PORT`, `[IPV6]:PORT` */
const endpoint = (text: string): ClusterConfig['endpoints'][number] => {
  const found = /^(?:\[(?<v6>[^\]]{1,45})\]|(?<host>[^:[\]]{1,253}))(?::(?<port>\d{1,5}))?$/.exec(
    text,
  )?.groups;
  const host = found?.v6 ?? found?.host ?? '';
  const fine = found?.v6 === undefined ? HOSTNAME.test(host) : parseAddress(host)?.family === 6;
  if (!fine)
    throw invalid(`invalid cluster-store: ${shown(text)} is neither HOST, HOST:PORT nor [IPV6]:PORT`);
  return { host, port: found?.port === undefined ? ETCD_PORT : portOf('cluster-store', found.port) };
};

const KNOWN = ['etcd'];
/** Stores of Docker's that nobody keeps alive; etcd is what this was built and tested with. */
const OTHERS = ['consul', 'zk', 'boltdb', 'token', 'nodes'];

const storeOf = (text: string): Pick<ClusterConfig, 'endpoints' | 'path'> => {
  const [, scheme = '', hosts = '', path = ''] = /^([a-z]+):\/\/([^/]{1,2000})(\/.*)?$/s.exec(text) ?? [];
  if (OTHERS.includes(scheme))
    throw invalid(`invalid cluster-store: ${scheme} is not supported, use etcd://HOST:2379/PATH`);
  if (!KNOWN.includes(scheme))
    throw invalid(`invalid cluster-store: ${shown(text)} is not etcd://HOST[:PORT][,HOST[:PORT]…][/PATH]`);
  return {
    endpoints: hosts.split(',').map((each) => endpoint(each.trim())),
    path: pathOf('cluster-store', path),
  };
};

const pathOf = (name: string, text: string): string => {
  if (text.length > 255 || !PATH.test(text))
    throw invalid(`invalid ${name}: ${shown(text)}: a path has letters, digits, and . _ ~ - /`);
  return text.replace(/^\/+|\/+$/g, '');
};

/** Without a port Docker takes that of its API; nothing depends on it here. */
const advertiseOf = (text: string): Pick<ClusterConfig, 'advertise' | 'advertisePort'> => {
  const found = /^(?:\[(?<v6>[^\]]{1,45})\]|(?<name>[^\s/:[\]]{1,45}))(?::(?<port>\d{1,5}))?$/.exec(
    text,
  )?.groups;
  const host = found?.v6 ?? found?.name ?? '';
  const parsed = parseAddress(host);
  const bad = host === '' || (found?.v6 !== undefined && parsed?.family !== 6) || parsed?.value === 0n;
  if (bad)
    throw invalid(
      `invalid cluster-advertise: ${shown(text)} is neither INTERFACE:PORT nor ADDRESS:PORT (IPv6 in brackets)`,
    );
  return {
    advertise: parsed ? formatAddress(parsed) : values.interfaceName('cluster-advertise', host),
    advertisePort: found?.port === undefined ? 2376 : portOf('cluster-advertise', found.port),
  };
};

const FILES = { 'kv.cacertfile': 'ca', 'kv.certfile': 'cert', 'kv.keyfile': 'key' } as const;
const OTHER_OPTIONS = ['kv.path', 'discovery.heartbeat', 'discovery.ttl'];

const tlsOf = (options: TextMap): ClusterConfig['tls'] => {
  const files = Object.entries(FILES).flatMap(([option, name]) => {
    const file = options[option];
    return file === undefined ? [] : [[name, values.path(option, file)] as const];
  });
  if ((options['kv.certfile'] === undefined) !== (options['kv.keyfile'] === undefined))
    throw invalid('invalid cluster-store-opt: kv.certfile and kv.keyfile belong together');
  return files.length > 0 ? Object.fromEntries(files) : undefined;
};

/** moby's: a heartbeat of 20 s, three of which may be lost. */
const HEARTBEAT = 20;
const seconds = (options: TextMap, name: string, otherwise: number): number => {
  const text = options[name];
  if (text === undefined) return otherwise;
  return values.within(name, /^\d{1,6}s?$/.test(text) ? Number.parseInt(text, 10) : -1, 1, 86_400);
};

/** undefined: in no cluster. Throws invalid. */
export const clusterOf = ({
  store,
  advertise,
  options,
}: {
  readonly store: string;
  readonly advertise: string;
  readonly options: TextMap;
}): ClusterConfig | undefined => {
  if (store === '') {
    if (advertise !== '' || Object.keys(options).length > 0)
      throw invalid('cluster-advertise and cluster-store-opt mean nothing without cluster-store');
    return undefined;
  }
  const unknown = Object.keys(options).find((name) => !(name in FILES) && !OTHER_OPTIONS.includes(name));
  if (unknown !== undefined)
    throw invalid(
      `invalid cluster-store-opt: ${shown(unknown)} is unknown: ${[...Object.keys(FILES), ...OTHER_OPTIONS].join(', ')}`,
    );
  if (advertise === '')
    throw invalid(
      'cluster-store needs cluster-advertise: the address or interface by which the cluster’s other hosts reach this one',
    );
  const { endpoints, path } = storeOf(store);
  const prefix = pathOf('kv.path', options['kv.path'] ?? '');
  const tls = tlsOf(options);
  const heartbeat = seconds(options, 'discovery.heartbeat', HEARTBEAT);
  const ttl = seconds(options, 'discovery.ttl', heartbeat * 3);
  if (ttl <= heartbeat)
    throw invalid('invalid cluster-store-opt: discovery.ttl must be more than discovery.heartbeat');
  return {
    store,
    endpoints,
    path: [path, prefix].filter((each) => each !== '').join('/'),
    ...advertiseOf(advertise),
    ...(tls ? { tls } : {}),
    heartbeat,
    ttl,
  };
};
