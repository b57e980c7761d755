/**
 * What the engine's commands are given, in three parts, so that a signature says what a function does with the world: it reads
 * (`View`), it writes (`Writing`), or it has others do something (`Outside`).
 */
import type { Images } from '../images/contract.js';
import type { Kernel } from '../kernel/contract.js';
import type { Logger } from '../log.js';
import type { HostPortObject } from '../plan/objects.js';
import type { Plugins } from '../plugins/contract.js';
import type { Runtime } from '../runtime/contract.js';
import type { ClusterStore } from './cluster.js';
import type { Ledger } from './commit/ledger.js';
import type { MountUsers } from './containers/mount-users.js';
import type { Engine, VolumeCommands } from './contract.js';
import type { Locks } from './locks.js';
import type { Debts } from './plugins/debts.js';
import type { View } from './view.js';

export interface EngineVolumes extends VolumeCommands {
  /**
   * Mounts the volume's device where it has one; one of the network takes as long as its server does. What is asked of one volume is
   * done in the order of asking. `givenUp`: nobody waits for it any more.
   */
  ready(name: string, givenUp?: AbortSignal): Promise<void>;
  /** The directory of a volume that is ready. Throws where its device is not mounted. */
  directory(name: string): string;
  /** Not mounted, or no such volume: well. */
  unmount(name: string): Promise<void>;
}

/** Records are changed here, and who listens is told of it here. */
export interface Writing {
  readonly ledger: Ledger;
  readonly events: Engine['events'];
  /** paid as soon as they are written down */
  readonly debts: Debts;
  readonly log: Logger;
}

/** Whom the engine asks to do something, beside the kernel, which follows the ledger. */
/** Many ports of the host at once are held and let go of beside the commands that want it. */
export interface PortsBeside {
  prepare(objects: readonly HostPortObject[]): Promise<() => void>;
  released(): Promise<void>;
}

export interface Outside {
  /** absent: nothing is done ahead, and nobody waits */
  readonly hostPorts?: PortsBeside;
  readonly kernel: Kernel;
  readonly plugins: Plugins;
  /** absent: this host is in no cluster */
  readonly cluster?: ClusterStore | undefined;
  /** one attachment or removal at a time on a network that plugins have a part in */
  readonly networkLocks: Locks;
  readonly images: Images;
  readonly runtime: Runtime;
  readonly volumes: EngineVolumes;
  /** of roots and of volumes' devices, beside the containers that run */
  readonly mountUsers: MountUsers;
}

export interface Parts extends View, Writing, Outside {}
