/** SIGHUP: which settings of a running daemon may change, and which need a restart. Pure. */
import { isDeepStrictEqual } from 'node:util';
import type { DaemonConfig } from './contract.js';

/**
 * dockerd's list (debug, labels, registries, live-restore, shutdown-timeout), and what only containers and networks made
 * later read: DNS, pools, default options, host-gateway. Everything else is built into what already runs.
 */
export const RELOADABLE = [
  'debug',
  'logLevel',
  'labels',
  'insecureRegistries',
  'registryMirrors',
  'liveRestore',
  'shutdownTimeout',
  'dns',
  'dnsOptions',
  'dnsSearch',
  'hostGatewayIps',
  'defaultAddressPools',
  'defaultNetworkOptions',
] as const satisfies readonly (keyof DaemonConfig)[];

export interface Reload {
  /** the running configuration with the reloadable changes in it */
  readonly config: DaemonConfig;
  readonly changed: readonly (keyof DaemonConfig)[];
  /** differ in the file and take effect at the next start */
  readonly needRestart: readonly (keyof DaemonConfig)[];
  /** of the `reload` event: each reloadable setting as text */
  readonly attributes: Readonly<Record<string, string>>;
}

const EVENT_NAMES: Readonly<Record<(typeof RELOADABLE)[number], string>> = {
  debug: 'debug',
  logLevel: 'log-level',
  labels: 'labels',
  insecureRegistries: 'insecure-registries',
  registryMirrors: 'registry-mirrors',
  liveRestore: 'live-restore',
  shutdownTimeout: 'shutdown-timeout',
  dns: 'dns',
  dnsOptions: 'dns-opts',
  dnsSearch: 'dns-search',
  hostGatewayIps: 'host-gateway-ips',
  defaultAddressPools: 'default-address-pools',
  defaultNetworkOptions: 'default-network-opts',
};

const text = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));

export const reloadable = (running: DaemonConfig, wanted: DaemonConfig): Reload => {
  const may: ReadonlySet<string> = new Set(RELOADABLE);
  const keys = Object.keys(running) as (keyof DaemonConfig)[]; // a DaemonConfig has no other keys
  const differing = keys.filter((key) => !isDeepStrictEqual(running[key], wanted[key]));
  const taken = Object.fromEntries(RELOADABLE.map((key) => [key, wanted[key]]));
  const config: DaemonConfig = { ...running, ...taken };
  return {
    config,
    changed: differing.filter((key) => may.has(key)),
    needRestart: differing.filter((key) => !may.has(key)),
    attributes: Object.fromEntries(RELOADABLE.map((key) => [EVENT_NAMES[key], text(config[key])])),
  };
};
