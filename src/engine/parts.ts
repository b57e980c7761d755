/** What the engine's commands share: the model, its one writer, and the rooms that were injected. */
import type { DaemonConfig } from '../config/contract.js';
import type { Driver, HostView } from '../drivers/contract.js';
import type { Images } from '../images/contract.js';
import type { Subnets } from '../ipam/subnets.js';
import type { Kernel } from '../kernel/contract.js';
import type { Logger } from '../log.js';
import type { AdoptedBridge } from '../model/network.js';
import type { Plugins } from '../plugins/contract.js';
import type { Runtime } from '../runtime/contract.js';
import type { Addresses } from './attach/addresses.js';
import type { PickPort } from './attach/publish.js';
import type { Ledger } from './commit/ledger.js';
import type { Model } from './commit/model.js';
import type { Engine, VolumeCommands } from './contract.js';
import type { Locks } from './locks.js';
import type { Debts } from './plugins/debts.js';

export interface EngineVolumes extends VolumeCommands {
  /** Mounts the volume's device where it has one; answers its directory. */
  mount(name: string): string;
  unmount(name: string): void;
}

/** What is seen of an interface of the host's on which a network is to stand. */
export interface HostLink extends AdoptedBridge {
  readonly bridge: boolean;
  /** made by a daemon of ours */
  readonly ours: boolean;
}

/** Facts of the host that change under us, read when asked. */
export interface HostFacts {
  /** what the host itself uses: its routes that are not ours, and its nameservers; `changed`: not as of a moment ago */
  subnets(changed?: boolean): Subnets;
  /** whether the host forwards IPv4 now */
  forwardsIpv4(): boolean;
  /** the host's own resolver configuration */
  resolvConf(): string;
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
}

export interface Parts {
  readonly config: DaemonConfig;
  readonly host: HostView;
  readonly facts: HostFacts;
  readonly model: Model;
  readonly ledger: Ledger;
  readonly kernel: Kernel;
  readonly addresses: Addresses;
  /** subnets of all networks, kept with every create and remove */
  readonly subnets: Subnets;
  /** the built-in ones; every other name is a plugin's */
  readonly drivers: ReadonlyMap<string, Driver>;
  readonly plugins: Plugins;
  readonly debts: Debts;
  /** one attachment or removal at a time on a network that plugins have a part in */
  readonly networkLocks: Locks;
  /** names of networks that plugins are being asked for */
  readonly beingMade: Set<string>;
  readonly images: Images;
  readonly runtime: Runtime;
  readonly volumes: EngineVolumes;
  readonly events: Engine['events'];
  readonly freePort: PickPort;
  readonly log: Logger;
  /** random text kept in the data root; seeds unique local IPv6 prefixes */
  readonly seed: string;
}

/** RFC 3339 with nanoseconds (the clock gives milliseconds). */
export const timestamp = (): string => new Date().toISOString().replace(/Z$/, '000000Z');
