/**
 * What the engine asks of third-party plugins (Docker's legacy plugin protocol). Answers are checked: what these types
 * say is so, whatever the plugin sent. Every call ends in bounded time; it throws `unavailable` where the plugin cannot be
 * reached or does not answer, `internal` where it refused or lied.
 */
import type { PluginRoute } from '../model/endpoint.js';
import type { OwedCall } from '../model/owed.js';

export type PluginKind = 'NetworkDriver' | 'IpamDriver';

/** Options as libnetwork sends them: texts, booleans and lists under label names. */
export type PluginOptions = Readonly<Record<string, unknown>>;

/** One pool of a network as drivers are told of it; texts are CIDRs. */
export interface IpamData {
  readonly AddressSpace: string;
  readonly Pool: string;
  readonly Gateway?: string;
  readonly AuxAddresses?: Readonly<Record<string, string>>;
}

/** Addresses with prefix length, MAC in lower case with colons. */
export interface PluginInterface {
  readonly ipv4?: string;
  readonly ipv6?: string;
  readonly mac?: string;
}

/** What `Join` answered. Absent: the plugin said nothing of it. */
export interface Joined {
  /** name of a link on the host, to be moved into the sandbox */
  readonly source?: string;
  /** its name there: this and the lowest free number */
  readonly prefix?: string;
  /** bare addresses */
  readonly gateway4?: string;
  readonly gateway6?: string;
  readonly routes: readonly PluginRoute[];
  readonly disableGateway: boolean;
}

export interface NetworkPlugin {
  readonly scope: 'local' | 'global';
  /** For which families a network of these options needs no gateway address. */
  skipsGateways(options: PluginOptions): Promise<{ readonly ipv4: boolean; readonly ipv6: boolean }>;
  createNetwork(
    id: string,
    options: PluginOptions,
    ipv4: readonly IpamData[],
    ipv6: readonly IpamData[],
  ): Promise<void>;
  /** Answers only what was not given; `internal` where the plugin would change what was. */
  createEndpoint(
    networkId: string,
    endpointId: string,
    given: PluginInterface,
    options: PluginOptions,
  ): Promise<PluginInterface>;
  join(networkId: string, endpointId: string, sandboxKey: string, options: PluginOptions): Promise<Joined>;
  /** Ports to publish are in the options. Plugins that do not know this call are left in peace. */
  programExternalConnectivity(networkId: string, endpointId: string, options: PluginOptions): Promise<void>;
}

interface PoolRequest {
  readonly addressSpace: string;
  /** CIDR, empty: the plugin chooses */
  readonly pool: string;
  readonly subPool: string;
  readonly options: Readonly<Record<string, string>>;
  readonly v6: boolean;
}

export interface RequestedPool {
  readonly id: string;
  /** CIDR without host bits */
  readonly subnet: string;
  /** with prefix length; the plugin chose it along with the pool */
  readonly gateway?: string;
}

export interface IpamPlugin {
  readonly requiresMac: boolean;
  readonly requiresReplay: boolean;
  addressSpaces(): Promise<{ readonly local: string; readonly global: string }>;
  requestPool(request: PoolRequest): Promise<RequestedPool>;
  /** `address` empty: the plugin chooses. Answers the address with prefix length. */
  requestAddress(
    poolId: string,
    address: string,
    options: Readonly<Record<string, string>>,
    family: 4 | 6,
  ): Promise<string>;
}

export interface Plugins {
  /**
   * The plugin of this name, activated. Throws not-found with moby's text where there is none, invalid where it is no
   * network driver.
   */
  network(name: string): Promise<NetworkPlugin>;
  ipam(name: string): Promise<IpamPlugin>;
  /** Is there a plugin of this name: found on disk, or known from before? Asks nobody. */
  found(name: string): boolean;
  /** Sends one call as it is, without a second try. Throws as all calls do. */
  tell(call: OwedCall): Promise<void>;
  /** Names of the activated plugins of the kind, for `docker info`. */
  active(kind: PluginKind): readonly string[];
}
