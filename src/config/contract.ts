/** The daemon's settings after flags and daemon.json were merged and checked. */
import type { SplitPool } from '../ipam/defaults.js';
/** A cluster without swarm: its hosts find each other by a store of the user's. */
export interface ClusterConfig {
  /** as it was given */
  readonly store: string;
  /** etcd's clients' ports; at least one */
  readonly endpoints: readonly { readonly host: string; readonly port: number }[];
  /** before all keys; without a slash at its end */
  readonly path: string;
  /** an address of this host, bare, or the name of an interface that has one */
  readonly advertise: string;
  readonly advertisePort: number;
  /** files with PEM; absent: without TLS */
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string };
  /** seconds: how often this host says that it is there, and after how many without it others take it for gone */
  readonly heartbeat: number;
  readonly ttl: number;
}

export interface DaemonConfig {
  /** `unix:///…`, `tcp://…`, `fd://`; at least one */
  readonly hosts: readonly string[];
  readonly group: string;
  readonly tls: {
    readonly verify: boolean;
    readonly ca: string;
    readonly cert: string;
    readonly key: string;
  } | null;
  /** default /var/lib/viaduct */
  readonly dataRoot: string;
  /** default /run/viaduct */
  readonly execRoot: string;
  /** default /run/viaduct.pid */
  readonly pidFile: string;
  readonly configFile: string;
  readonly debug: boolean;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error' | 'fatal';
  readonly bridge: string;
  readonly bip: string;
  readonly bip6: string;
  readonly fixedCidr: string;
  readonly fixedCidrV6: string;
  readonly defaultGateway: string;
  readonly defaultGatewayV6: string;
  readonly defaultAddressPools: readonly SplitPool[];
  /** driver → options */
  readonly defaultNetworkOptions: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly mtu: number;
  readonly icc: boolean;
  /** default address for publishing */
  readonly ip: string;
  readonly ipForward: boolean;
  readonly ipMasquerade: boolean;
  readonly ipv6: boolean;
  readonly dns: readonly string[];
  readonly dnsOptions: readonly string[];
  readonly dnsSearch: readonly string[];
  /** db.sock and the bridges' management sockets; default /run/openvswitch */
  readonly ovsRunDirectory: string;
  /** absent: the daemon is in no such cluster */
  readonly cluster?: ClusterConfig;
  readonly hostGatewayIps: readonly string[];
  readonly labels: readonly string[];
  readonly shutdownTimeout: number;
  readonly liveRestore: boolean;
  readonly insecureRegistries: readonly string[];
  readonly registryMirrors: readonly string[];
  /** an address or an interface; empty: found out when a swarm begins */
  readonly swarmAdvertise: string;
  /** containers that do not say have an init program */
  readonly init: boolean;
  /** whether a link on the default bridge gives its container variables that describe the source */
  readonly linkVariables: boolean;
  /** UDP, of encrypted overlay networks; 1–65535 */
  readonly wireguardPort: number;
  /** where third-party plugins are looked for; absolute paths */
  readonly pluginDirectories: { readonly sockets: string; readonly specs: readonly string[] };
}
