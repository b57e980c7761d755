/** What a decision reads: the records, the daemon's settings, the drivers, and facts of the host. Nothing changes by it. */
import type { DaemonConfig } from '../config/contract.js';
import type { ResolvConf, ResolvConfMode } from '../dns/resolv-conf.js';
import type { Driver, HostView } from '../drivers/contract.js';
import type { Subnets } from '../ipam/subnets.js';
import type { AdoptedBridge } from '../model/network.js';
import type { FreePort } from '../model/port.js';
import type { ReadModel } from './commit/model.js';

/** What is seen of an interface of the host's on which a network is to stand. */
export interface HostLink extends AdoptedBridge {
  readonly bridge: boolean;
  /** made by a daemon of ours */
  readonly ours: boolean;
}

/** Facts of the host that change under us, read when asked. */
export interface HostFacts {
  /**
   * what the host itself uses: its routes that are not ours, as they were when they were last heard to change, and its nameservers;
   * `changed`: as they are now
   */
  subnets(changed?: boolean): Subnets;
  /** others have changed the host's routes */
  routesChanged(): void;
  /** whether the host forwards IPv4 now */
  forwardsIpv4(): boolean;
  /** the host's own resolver configuration, as a container's of the mode is made from it */
  resolvConf(mode: ResolvConfMode): ResolvConf;
  /** an interface of the host's, whosever it is; undefined: there is none of the name */
  link(name: string): HostLink | undefined;
  /** whether the host has the address, bare */
  holds(address: string): boolean;
  /** the default network's bridge: docker0, or another name where a living dockerd has that */
  defaultBridge(): string;
  /** the bridge of network docker_gwbridge, likewise */
  gatewayBridge(): string;
  /** addresses by which containers reach the host (`host-gateway`) */
  gatewayAddresses(): readonly string[];
  /** The kernel is the index of ports in use, whosever they are; ours are bound like everybody's. */
  readonly freePort: FreePort;
}

export interface View {
  readonly config: DaemonConfig;
  readonly host: HostView;
  readonly facts: HostFacts;
  readonly model: ReadModel;
  /** the built-in ones; every other name is a plugin's */
  readonly drivers: ReadonlyMap<string, Driver>;
  /** random text kept in the data root; seeds unique local IPv6 prefixes */
  readonly seed: string;
}
