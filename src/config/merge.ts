/**
 * Settings become the daemon's configuration: defaults filled in, every value checked, contradictions refused. Pure.
 * Invariant: what this answers needs no further check before the daemon uses it.
 */
import { invalid } from '../errors.js';
import { clusterOf } from './cluster.js';
import type { DaemonConfig } from './contract.js';
import { ALL_OPTIONS, type Settings } from './options.js';
import * as values from './values.js';

const DEFAULTS = {
  dataRoot: '/var/lib/viaduct',
  execRoot: '/run/viaduct',
  pidFile: '/run/viaduct.pid',
  ovsRunDirectory: '/run/openvswitch',
  group: 'docker',
  tlsDirectory: '/etc/docker',
  pluginSockets: '/run/docker/plugins',
  pluginSpecs: ['/etc/docker/plugins', '/usr/lib/docker/plugins'],
  shutdownTimeoutSeconds: 15,
  wireguardPort: 51_820,
} as const;

/** What to say about settings that are accepted and not obeyed. Throws for those that are refused. */
export const checkStances = (settings: Settings): readonly string[] => {
  const warnings: string[] = [];
  for (const [name, { flag, key, kind, stance }] of ALL_OPTIONS) {
    const value = settings[name];
    if (value === undefined || stance.kind === 'obeyed') continue;
    const written = flag === '' ? `"${key}"` : `--${flag}`;
    if (stance.kind === 'ignored') warnings.push(`${written} is ignored: ${stance.why}`);
    else if (!stance.harmless(value)) {
      throw invalid(`${written} ${kind.show(value)} is not supported: ${stance.why}`);
    }
  }
  return warnings;
};

/** As dockerd: to name --tlsverify, true or false, is to ask for TLS; TLS asks for certificates unless told not to. */
const tlsOf = (s: Settings): DaemonConfig['tls'] => {
  if (s.tls !== true && s.tlsVerify === undefined) return null;
  const verify = s.tlsVerify ?? true;
  const file = (text: string | undefined, name: string): string =>
    values.path(
      name,
      text ?? `${DEFAULTS.tlsDirectory}/${name.replace('tls', '').replace('cacert', 'ca')}.pem`,
    );
  return {
    verify,
    ca: verify || s.tlsCa !== undefined ? file(s.tlsCa, 'tlscacert') : '',
    cert: file(s.tlsCert, 'tlscert'),
    key: file(s.tlsKey, 'tlskey'),
  };
};

type Addressing = Pick<
  DaemonConfig,
  'bridge' | 'bip' | 'bip6' | 'fixedCidr' | 'fixedCidrV6' | 'defaultGateway' | 'defaultGatewayV6'
>;

const optional = (text: string | undefined, check: (text: string) => string): string =>
  text ? check(text) : '';

/** The default bridge. With a subnet given, range and gateway must lie in it; without one, the engine looks. */
const addressingOf = (s: Settings): Addressing => {
  const bridge = values.interfaceName('bridge', s.bridge ?? '');
  if (bridge !== '' && s.bip) {
    throw invalid('You specified -b & --bip, mutually exclusive options. Please specify only one');
  }
  const bip = optional(s.bip, (text) => values.cidr('bip', text, 4, false));
  const bip6 = optional(s.bip6, (text) => values.cidr('bip6', text, 6, false));
  const fixedCidr = optional(s.fixedCidr, (text) => values.cidr('fixed-cidr', text, 4, true));
  const fixedCidrV6 = optional(s.fixedCidrV6, (text) => values.cidr('fixed-cidr-v6', text, 6, true));
  const defaultGateway = optional(s.defaultGateway, (text) => values.address('default-gateway', text, 4));
  const defaultGatewayV6 = optional(s.defaultGatewayV6, (text) =>
    values.address('default-gateway-v6', text, 6),
  );
  if (bip && fixedCidr) values.inside('fixed-cidr', fixedCidr, 'bip', bip);
  if (bip && defaultGateway) values.inside('default-gateway', defaultGateway, 'bip', bip);
  if (bip6 && fixedCidrV6) values.inside('fixed-cidr-v6', fixedCidrV6, 'bip6', bip6);
  const range6 = bip6 || fixedCidrV6;
  if (range6 && defaultGatewayV6) values.inside('default-gateway-v6', defaultGatewayV6, 'the subnet', range6);
  return { bridge, bip, bip6, fixedCidr, fixedCidrV6, defaultGateway, defaultGatewayV6 };
};

const registry = (name: string, text: string): string => {
  if (text === '' || /[\s@?#]/.test(text))
    throw invalid(`invalid ${name}: ${JSON.stringify(text.slice(0, 100))}`);
  return text;
};

const mirror = (text: string): string => {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !['http:', 'https:'].includes(url.protocol) || url.search || url.hash || url.username) {
    throw invalid(
      `invalid mirror: ${JSON.stringify(text.slice(0, 100))} must be http://HOST or https://HOST`,
    );
  }
  return url.href;
};

/** Kernel bounds of an MTU (include/net/ip.h IPV4_MIN_MTU 68; 16 bits); 0: the driver's default. */
const mtuOf = (mtu: number): number => {
  if (mtu < 0) throw invalid(`invalid default MTU: ${mtu}`);
  return mtu === 0 ? 0 : values.within('default MTU', mtu, 68, 65535);
};

/** The daemon's environment, of which settings are what dockerd has no flag for. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Where it is set, it says what it says to Docker 29: `1` and nothing else asks for them. Who does not set it has them, as with Docker before. */
const linkVariables = ({ DOCKER_KEEP_DEPRECATED_LEGACY_LINKS_ENV_VARS: keep = '1' }: Environment): boolean =>
  keep === '1';

export const configOf = (s: Settings, configFile: string, environment: Environment): DaemonConfig => {
  const tls = tlsOf(s);
  const hosts = s.host ?? [];
  const debug = s.debug ?? false;
  const cluster = clusterOf({
    store: s.clusterStore ?? '',
    advertise: s.clusterAdvertise ?? '',
    options: s.clusterStoreOptions ?? {},
  });
  return {
    hosts: [...new Set((hosts.length > 0 ? hosts : ['']).map((each) => values.host(each, tls !== null)))],
    group: s.group ?? DEFAULTS.group,
    tls,
    dataRoot: values.absolutePath('data-root', s.dataRoot ?? DEFAULTS.dataRoot),
    execRoot: values.absolutePath('exec-root', s.execRoot ?? DEFAULTS.execRoot),
    pidFile: values.absolutePath('pidfile', s.pidFile ?? DEFAULTS.pidFile),
    configFile,
    debug,
    logLevel: debug ? 'debug' : values.logLevel(s.logLevel || 'info'),
    ...addressingOf(s),
    defaultAddressPools: (s.defaultAddressPools ?? []).map(values.pool),
    defaultNetworkOptions: values.driverOptions(s.defaultNetworkOptions ?? {}),
    mtu: mtuOf(s.mtu ?? 0),
    icc: s.icc ?? true,
    ip: values.address('ip', s.ip || '0.0.0.0'),
    ipForward: s.ipForward ?? true,
    ipMasquerade: s.ipMasquerade ?? true,
    ipv6: s.ipv6 ?? false,
    dns: (s.dns ?? []).map((each) => values.address('dns', each.trim())),
    dnsOptions: s.dnsOptions ?? [],
    dnsSearch: (s.dnsSearch ?? []).map(values.searchDomain),
    ovsRunDirectory: values.absolutePath('ovs-run-dir', s.ovsRunDirectory ?? DEFAULTS.ovsRunDirectory),
    ...(cluster ? { cluster } : {}),
    hostGatewayIps: values.hostGatewayIps(s.hostGatewayIps ?? []),
    labels: values.labels(s.label ?? []),
    shutdownTimeout: values.within(
      'shutdown timeout',
      s.shutdownTimeout ?? DEFAULTS.shutdownTimeoutSeconds,
      -1,
      86_400,
    ),
    liveRestore: s.liveRestore ?? false,
    insecureRegistries: (s.insecureRegistries ?? []).map((each) => registry('insecure registry', each)),
    registryMirrors: (s.registryMirrors ?? []).map(mirror),
    swarmAdvertise: s.swarmAdvertise ?? '',
    init: s.init ?? false,
    linkVariables: linkVariables(environment),
    wireguardPort: values.within('wireguard-port', s.wireguardPort ?? DEFAULTS.wireguardPort, 1, 65_535),
    pluginDirectories: {
      sockets: values.absolutePath('plugin-socket-dir', s.pluginSockets ?? DEFAULTS.pluginSockets),
      specs: (s.pluginSpecs ?? DEFAULTS.pluginSpecs).map((each) =>
        values.absolutePath('plugin-spec-dir', each),
      ),
    },
  };
};
