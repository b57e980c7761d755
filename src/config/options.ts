/**
 * Every setting of dockerd by name, with its kind and what becomes of it here: one table for flags, daemon.json and
 * `--help`. Invariant: a setting is obeyed, ignored with a warning because nothing a user gets depends on it, or refused.
 * Longer than other files because it is a table.
 */
import {
  byDriverKind,
  type Kind,
  listKind,
  mapKind,
  numberKind,
  type Option,
  oneAsListKind,
  opaqueKind,
  poolsKind,
  type Stance,
  switchKind,
  textKind,
} from './kinds.js';

interface Naming {
  readonly short?: string;
  /** name in daemon.json where it differs from the flag's */
  readonly key?: string;
}

const option = <T>(
  kind: Kind<T>,
  flag: string,
  help: string,
  stance: Stance<T>,
  naming: Naming,
): Option<T> => ({
  kind,
  flag,
  help,
  stance,
  short: naming.short ?? '',
  key: naming.key ?? flag,
});

const obeyed = <T>(kind: Kind<T>, flag: string, help: string, naming: Naming = {}): Option<T> =>
  option(kind, flag, help, { kind: 'obeyed' }, naming);

const ignored = <T>(kind: Kind<T>, flag: string, why: string, naming: Naming = {}): Option<T> =>
  option(kind, flag, `ignored: ${why}`, { kind: 'ignored', why }, naming);

const refused = <T>(
  kind: Kind<T>,
  flag: string,
  why: string,
  harmless: (value: T) => boolean,
  naming: Naming = {},
): Option<T> => option(kind, flag, `refused: ${why}`, { kind: 'refused', why, harmless }, naming);

const never = (): boolean => false;
const off = (value: boolean): boolean => !value;
const oneOf =
  (...values: readonly string[]) =>
  (value: string): boolean =>
    values.includes(value);

const STORAGE = 'images and layers are kept by containers-storage (overlay)';
const NO_CONTAINERD = 'Viaduct runs containers by conmon and crun, without containerd';
const NO_RAFT = 'the consensus of managers is etcd’s, which has times of its own';
const LIVES_ON = 'containers always go on when the daemon stops';
const PER_CONTAINER = 'no daemon-wide default for it here';

export const OPTIONS = {
  // The door
  host: obeyed(listKind, 'host', 'Daemon socket(s) to listen on: unix://, tcp://, fd://', {
    short: 'H',
    key: 'hosts',
  }),
  group: obeyed(textKind, 'group', 'Group that may use the unix socket', { short: 'G' }),
  tls: obeyed(switchKind, 'tls', 'Use TLS on tcp:// sockets; false: let everyone in'),
  tlsVerify: obeyed(switchKind, 'tlsverify', 'Use TLS and verify the client; false: TLS alone'),
  tlsCa: obeyed(textKind, 'tlscacert', 'Trust client certificates signed by this CA'),
  tlsCert: obeyed(textKind, 'tlscert', 'TLS certificate file'),
  tlsKey: obeyed(textKind, 'tlskey', 'TLS key file'),
  // Places, logging, life
  dataRoot: obeyed(textKind, 'data-root', 'Directory of what must survive a reboot'),
  execRoot: obeyed(textKind, 'exec-root', 'Directory of what runs'),
  pidFile: obeyed(textKind, 'pidfile', 'File with the daemon’s process id', { short: 'p' }),
  debug: obeyed(switchKind, 'debug', 'Log at level debug', { short: 'D' }),
  logLevel: obeyed(textKind, 'log-level', 'debug, info, warn, error or fatal', { short: 'l' }),
  label: obeyed(listKind, 'label', 'key=value label of the daemon, for `docker info`', { key: 'labels' }),
  shutdownTimeout: ignored(numberKind, 'shutdown-timeout', LIVES_ON),
  liveRestore: ignored(switchKind, 'live-restore', LIVES_ON),
  // Networks
  bridge: obeyed(
    textKind,
    'bridge',
    'Attach the default network to this existing bridge; "none" for no default bridge',
    {
      short: 'b',
    },
  ),
  bip: obeyed(textKind, 'bip', 'IPv4 address of the default bridge, CIDR'),
  bip6: obeyed(textKind, 'bip6', 'IPv6 address of the default bridge, CIDR'),
  fixedCidr: obeyed(
    textKind,
    'fixed-cidr',
    'IPv4 range of the default bridge from which addresses are taken',
  ),
  fixedCidrV6: obeyed(textKind, 'fixed-cidr-v6', 'IPv6 range of the default bridge'),
  defaultGateway: obeyed(textKind, 'default-gateway', 'IPv4 gateway of containers on the default bridge'),
  defaultGatewayV6: obeyed(
    textKind,
    'default-gateway-v6',
    'IPv6 gateway of containers on the default bridge',
  ),
  defaultAddressPools: obeyed(
    poolsKind,
    'default-address-pool',
    'Pool for networks without a subnet: base=CIDR,size=N',
    {
      key: 'default-address-pools',
    },
  ),
  defaultNetworkOptions: obeyed(
    byDriverKind,
    'default-network-opt',
    'Default of a driver’s option: driver=option=value',
    {
      key: 'default-network-opts',
    },
  ),
  mtu: obeyed(numberKind, 'mtu', 'MTU of the default bridge'),
  icc: obeyed(switchKind, 'icc', 'Containers on the default bridge reach each other (default true)'),
  ip: obeyed(textKind, 'ip', 'Host address for published ports (default 0.0.0.0)'),
  ipForward: obeyed(switchKind, 'ip-forward', 'Switch forwarding on in the kernel (default true)'),
  ipMasquerade: obeyed(switchKind, 'ip-masq', 'Masquerade what leaves the default bridge (default true)'),
  ipv6: obeyed(switchKind, 'ipv6', 'IPv6 on the default bridge'),
  dns: obeyed(listKind, 'dns', 'DNS server of containers'),
  dnsOptions: obeyed(listKind, 'dns-opt', 'Option for resolv.conf', { key: 'dns-opts' }),
  dnsSearch: obeyed(listKind, 'dns-search', 'DNS search domain of containers'),
  ovsRunDirectory: obeyed(
    textKind,
    'ovs-run-dir',
    'Directory of Open vSwitch’s sockets (default /run/openvswitch)',
  ),
  hostGatewayIps: obeyed(oneAsListKind, 'host-gateway-ip', 'What "host-gateway" in --add-host means', {
    key: 'host-gateway-ips',
  }),
  init: obeyed(
    switchKind,
    'init',
    'An init program in containers that do not say (`docker run --init=false`)',
  ),
  // Registries
  insecureRegistries: obeyed(listKind, 'insecure-registry', 'Registry that may be spoken to without TLS', {
    key: 'insecure-registries',
  }),
  registryMirrors: obeyed(listKind, 'registry-mirror', 'Mirror of Docker Hub', { key: 'registry-mirrors' }),

  // Third-party plugins
  pluginSockets: obeyed(
    textKind,
    'plugin-socket-dir',
    'Directory of the plugins’ sockets (default /run/docker/plugins)',
  ),
  pluginSpecs: obeyed(
    listKind,
    'plugin-spec-dir',
    'Directory of the plugins’ .spec and .json files (default /etc/docker/plugins, /usr/lib/docker/plugins)',
    { key: 'plugin-spec-dirs' },
  ),

  // Networking that is done another way here
  iptables: refused(
    switchKind,
    'iptables',
    'isolation and published ports are nftables rules that Viaduct always keeps',
    (v) => v,
  ),
  ip6tables: refused(
    switchKind,
    'ip6tables',
    'isolation and published ports are nftables rules that Viaduct always keeps',
    (v) => v,
  ),
  firewallBackend: ignored(textKind, 'firewall-backend', 'the firewall is always nftables'),
  userlandProxy: ignored(switchKind, 'userland-proxy', 'published ports need no proxy processes'),
  userlandProxyPath: ignored(textKind, 'userland-proxy-path', 'published ports need no proxy processes'),
  ipForwardNoDrop: ignored(
    switchKind,
    'ip-forward-no-drop',
    'Viaduct never changes the FORWARD policy of other tables',
  ),
  allowDirectRouting: refused(
    switchKind,
    'allow-direct-routing',
    'use gateway mode nat-unprotected on the network instead',
    off,
  ),
  bridgeAcceptFwmark: refused(
    textKind,
    'bridge-accept-fwmark',
    'packets are not accepted by mark here',
    oneOf(''),
  ),
  networkControlPlaneMtu: ignored(
    numberKind,
    'network-control-plane-mtu',
    'what managers and nodes say to each other goes by TCP',
  ),
  networkDiagnosticPort: ignored(numberKind, 'network-diagnostic-port', 'there is no diagnostic server'),
  resolvConf: refused(textKind, '', 'use dns, dns-search and dns-opts', oneOf(''), { key: 'resolv-conf' }),
  // Clusters
  clusterStore: obeyed(
    textKind,
    'cluster-store',
    'Where the hosts of a cluster without swarm keep their overlay networks: etcd://HOST[:PORT][,HOST…]/PATH',
  ),
  clusterAdvertise: obeyed(
    textKind,
    'cluster-advertise',
    'Address or interface, and port, by which the cluster’s other hosts reach this one',
  ),
  clusterStoreOptions: obeyed(
    mapKind,
    'cluster-store-opt',
    'kv.cacertfile, kv.certfile, kv.keyfile, kv.path, discovery.heartbeat, discovery.ttl',
    { key: 'cluster-store-opts' },
  ),
  wireguardPort: obeyed(
    numberKind,
    'wireguard-port',
    'UDP port by which hosts of encrypted overlay networks reach this one (default 51820)',
  ),
  swarmAdvertise: obeyed(
    textKind,
    'swarm-default-advertise-addr',
    'Address or interface that others in a swarm reach this node at, where init and join do not say one',
  ),
  swarmHeartbeat: ignored(numberKind, '', NO_RAFT, { key: 'swarm-raft-heartbeat-tick' }),
  swarmElection: ignored(numberKind, '', NO_RAFT, { key: 'swarm-raft-election-tick' }),
  genericResources: ignored(
    listKind,
    'node-generic-resource',
    'the scheduler places by processors and memory',
    {
      key: 'node-generic-resources',
    },
  ),
  // Storage and runtime of other makes
  storageDriver: ignored(textKind, 'storage-driver', STORAGE, { short: 's' }),
  storageOptions: ignored(listKind, 'storage-opt', STORAGE, { key: 'storage-opts' }),
  graph: ignored(textKind, 'graph', 'use --data-root', { short: 'g' }),
  containerd: ignored(textKind, 'containerd', NO_CONTAINERD),
  containerdNamespace: ignored(textKind, 'containerd-namespace', NO_CONTAINERD),
  containerdPlugins: ignored(textKind, 'containerd-plugins-namespace', NO_CONTAINERD, {
    key: 'containerd-plugin-namespace',
  }),
  criContainerd: ignored(switchKind, 'cri-containerd', NO_CONTAINERD),
  execOptions: ignored(listKind, 'exec-opt', 'cgroups are driven through cgroupfs', { key: 'exec-opts' }),
  features: ignored(opaqueKind, 'feature', 'no optional features here', { key: 'features' }),
  builder: ignored(opaqueKind, '', 'there is no BuildKit whose cache could be limited', { key: 'builder' }),
  cdiSpecDirs: ignored(listKind, 'cdi-spec-dir', 'no CDI devices here', { key: 'cdi-spec-dirs' }),
  nriOptions: ignored(opaqueKind, 'nri-opts', NO_CONTAINERD),
  addRuntime: ignored(opaqueKind, 'add-runtime', 'crun or runc is used', { key: 'runtimes' }),
  defaultRuntime: refused(
    textKind,
    'default-runtime',
    'containers run by crun or runc',
    oneOf('', 'runc', 'crun'),
  ),
  initPath: ignored(textKind, 'init-path', 'no init of Docker’s is used'),
  defaultInit: ignored(textKind, '', 'no init of Docker’s is used', { key: 'default-init' }),
  oomScoreAdjust: ignored(numberKind, 'oom-score-adjust', 'set it on the daemon’s unit'),
  experimental: ignored(switchKind, 'experimental', 'nothing is experimental'),
  metricsAddress: ignored(textKind, 'metrics-addr', 'there is no metrics endpoint yet'),
  rawLogs: ignored(switchKind, 'raw-logs', 'logs carry no colours'),
  logFormat: ignored(textKind, 'log-format', 'the daemon logs lines of JSON'),
  maxConcurrentDownloads: ignored(numberKind, 'max-concurrent-downloads', 'skopeo decides'),
  maxConcurrentUploads: ignored(numberKind, 'max-concurrent-uploads', 'skopeo decides'),
  maxDownloadAttempts: ignored(numberKind, 'max-download-attempts', 'skopeo decides'),
  minApiVersion: ignored(textKind, '', 'API versions from 1.24 on are served', { key: 'min-api-version' }),
  restart: ignored(switchKind, 'restart', 'restart policies of the containers decide', { short: 'r' }),
  logOptions: ignored(mapKind, 'log-opt', 'containers’ logs are files of our own', { key: 'log-opts' }),
  logDriver: refused(
    textKind,
    'log-driver',
    'containers’ logs are files of our own',
    oneOf('', 'json-file', 'local', 'k8s-file'),
  ),
  // Defaults of containers: refused where a container would silently get something else
  seccompProfile: refused(textKind, 'seccomp-profile', PER_CONTAINER, oneOf('', 'builtin')),
  noNewPrivileges: refused(switchKind, 'no-new-privileges', PER_CONTAINER, off),
  selinux: refused(switchKind, 'selinux-enabled', 'SELinux labels are not set', off),
  usernsRemap: refused(textKind, 'userns-remap', 'containers have no user namespace of their own', oneOf('')),
  authorization: refused(
    listKind,
    'authorization-plugin',
    'every request would pass unchecked',
    (v) => v.length === 0,
    {
      key: 'authorization-plugins',
    },
  ),
  cgroupParent: refused(textKind, 'cgroup-parent', 'containers are in the cgroup /viaduct', oneOf('')),
  cpuRtPeriod: refused(numberKind, 'cpu-rt-period', 'real-time scheduling is not set up', (v) => v === 0),
  cpuRtRuntime: refused(numberKind, 'cpu-rt-runtime', 'real-time scheduling is not set up', (v) => v === 0),
  defaultUlimits: refused(opaqueKind, 'default-ulimit', PER_CONTAINER, never, { key: 'default-ulimits' }),
  defaultShmSize: refused(opaqueKind, 'default-shm-size', PER_CONTAINER, (v) => v === '64M' || v === '64m'),
  defaultIpcMode: refused(textKind, 'default-ipc-mode', 'IPC namespaces are private', oneOf('', 'private')),
  defaultCgroupns: refused(
    textKind,
    'default-cgroupns-mode',
    'cgroup namespaces are private',
    oneOf('', 'private'),
  ),
  defaultStopTimeout: refused(numberKind, 'default-stop-timeout', 'it is 10 seconds', (v) => v === 10),
  httpProxy: refused(textKind, 'http-proxy', 'set HTTP_PROXY in the daemon’s environment', oneOf('')),
  httpsProxy: refused(textKind, 'https-proxy', 'set HTTPS_PROXY in the daemon’s environment', oneOf('')),
  noProxy: refused(textKind, 'no-proxy', 'set NO_PROXY in the daemon’s environment', oneOf('')),
  proxies: refused(opaqueKind, '', 'set HTTP_PROXY and HTTPS_PROXY in the daemon’s environment', never, {
    key: 'proxies',
  }),
  rootless: refused(switchKind, 'rootless', 'this version needs root', off),
} as const;

export type OptionName = keyof typeof OPTIONS;
type ValueOf<O> = O extends Option<infer T> ? T : never;

/** What one door (flags, or daemon.json) set; absent: not set there. */
export type Settings = { readonly [Name in OptionName]?: ValueOf<(typeof OPTIONS)[Name]> };

/** The table with its value types forgotten, for code that treats all settings alike. */
export const ALL_OPTIONS: ReadonlyMap<OptionName, Option<unknown>> = new Map(
  Object.entries(OPTIONS) as [OptionName, Option<unknown>][], // keys of a literal; a Kind only ever gets values it made
);
