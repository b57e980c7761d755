/** Puts the engine together from its rooms, and brings it from what it finds on disk and in the kernel to running. */
import { randomUUID } from 'node:crypto';
import type { DaemonConfig } from '../config/contract.js';
import type { Driver, HostView } from '../drivers/contract.js';
import type { Images } from '../images/contract.js';
import type { Kernel } from '../kernel/contract.js';
import type { Logger } from '../log.js';
import type { KernelObject } from '../plan/objects.js';
import type { Plugins } from '../plugins/contract.js';
import type { Runtime } from '../runtime/contract.js';
import type { Store } from '../store/store.js';
import { createBuildCommands } from './build/index.js';
import { carryOut } from './carry-out.js';
import { type ClusterSide, type ClusterStore, clusterOf, isClusterCall } from './cluster.js';
import { createClusterSide } from './cluster-side.js';
import { createDerive } from './commit/derive.js';
import { Dirty } from './commit/dirty.js';
import { droppedPackets } from './commit/dropped.js';
import { keepsakes } from './commit/keepsakes.js';
import { Ledger } from './commit/ledger.js';
import { findLost, lossWarnings, type Opened } from './commit/lost-records.js';
import { Model } from './commit/model.js';
import { watchDrift } from './commit/repair.js';
import {
  holdStrayPorts,
  loadModel,
  rebindNamespaces,
  removeSteps,
  retire,
  reviveContainers,
  settleContainers,
  settleStrays,
} from './commit/restore.js';
import { suspendedShortcuts } from './commit/suspended.js';
import { createAttaching, createContainerCommands } from './containers/commands.js';
import { createExecCommands } from './containers/execs.js';
import { Lifecycle } from './containers/lifecycle.js';
import { MountUsers } from './containers/mount-users.js';
import { sweepMounts } from './containers/mounts.js';
import type { Engine } from './contract.js';
import type { Warning } from './decision.js';
import { fresh } from './fresh.js';
import { Locks } from './locks.js';
import { createNetworkCommands } from './networks/index.js';
import { overlapsNow } from './networks/overlaps.js';
import { decidePredefined } from './networks/predefined.js';
import { sourcesNow } from './networks/sources.js';
import type { EngineVolumes, Parts, PortsBeside } from './parts.js';
import { Debts } from './plugins/debts.js';
import { replayAddresses } from './plugins/replay.js';
import { createSeeing } from './seeing.js';
import type { HostFacts } from './view.js';
import { sweepSubpaths } from './volumes/subpath.js';

export interface EngineRooms {
  readonly config: DaemonConfig;
  readonly host: HostView;
  readonly facts: HostFacts;
  readonly store: Store;
  /** how the store was found */
  readonly opened: Opened;
  /** loaded already: the resolver looks names up in it */
  readonly model: Model;
  readonly kernel: Kernel;
  readonly hostPorts?: PortsBeside;
  readonly drivers: ReadonlyMap<string, Driver>;
  readonly plugins: Plugins;
  /** the store of the cluster that this host is in now, if it is in any */
  readonly cluster: () => ClusterStore | undefined;
  /** kernel objects of the daemon itself */
  readonly daemon: readonly KernelObject[];
  readonly images: Images;
  readonly runtime: Runtime;
  readonly volumes: EngineVolumes;
  readonly events: Engine['events'];
  readonly log: Logger;
}

export interface RunningEngine extends Engine {
  /** Settings that may change while running (SIGHUP); publishes the `reload` event. */
  reload(config: DaemonConfig, attributes: Readonly<Record<string, string>>): void;
  /** for who keeps the store of a cluster that this host is in */
  readonly clusterSide: ClusterSide;
  /** Containers live on; timers, watches and the store end. */
  close(): Promise<void>;
}

export { loadModel, Model };

/** Who takes back what was asked for. One that is not there any more stays owed. */
const tellerOf =
  ({ plugins, cluster }: EngineRooms): Plugins['tell'] =>
  async (call) => {
    if (!isClusterCall(call)) await plugins.tell(call);
    else await clusterOf({ cluster: cluster() }, 'what is to be given back').tell(call);
  };

/** Ready when it resolves: containers that were to come back by policy start in the background. */
export const startEngine = async (rooms: EngineRooms): Promise<RunningEngine> => {
  const { model, kernel, runtime, log } = rooms;
  const beside = keepsakes(rooms.store, model, runtime, (id, error) =>
    log.warn({ container: id, error: String(error) }, 'what is recorded of it could not be laid beside it'),
  );
  const { store } = beside;
  let config = rooms.config;
  const id = store.setting('id', randomUUID);
  const derive = createDerive({ host: rooms.host, drivers: rooms.drivers, daemon: rooms.daemon });
  let strays: ReadonlyMap<string, number> = new Map();
  const dirty = new Dirty({ kernel, model, derive, log, leaveOthers: () => strays.size > 0 });
  const ledger = new Ledger({ model, store, kernel, derive, dirty });
  const found = findLost({ model, ledger, runtime, log, behind: rooms.opened.restored !== undefined });
  const parts: Parts = {
    ...rooms,
    get config() {
      return config;
    },
    get cluster() {
      return rooms.cluster();
    },
    ledger,
    debts: new Debts({ model, ledger, plugins: { tell: tellerOf(rooms) }, log }),
    networkLocks: new Locks(),
    mountUsers: new MountUsers(),
    seed: id,
  };
  const lifecycle = new Lifecycle(parts);
  const revive = await settleContainers(parts, lifecycle);
  sweepMounts(parts);
  strays = settleStrays(parts, () => {
    dirty.restore(kernel.observe());
    log.info({}, 'no container runs any more that no record knows: what was theirs is removed');
  });
  rebindNamespaces(parts);
  establishPredefined(parts);
  await sweepSubpaths(config.execRoot);
  kernel.ensureTables();
  const tellOverlaps = teller(log, () => overlapsNow(parts));
  const tellSources = teller(log, () => sourcesNow(parts));
  const suspended = () => suspendedShortcuts(parts, kernel.suspended());
  const tellSuspended = teller(log, suspended);
  const routesChanged = () => {
    parts.facts.routesChanged();
    tellOverlaps();
    tellSources();
  };
  const drift = watchDrift(
    { kernel, model, derive, dirty, log },
    { routesChanged, suspended: tellSuspended },
  );
  if (strays.size > 0) holdStrayPorts(parts, derive, drift.observed);
  const steps = dirty.restore(drift.observed);
  ledger.follow();
  tellSources();
  tellSuspended();
  parts.debts.open();
  const replay = replayAddresses(parts);
  log.info({ steps, containers: model.containers.size, networks: model.networks.size }, 'restored');
  reviveContainers(parts, lifecycle, revive);
  removeSteps(parts, lifecycle);
  beside.all();
  const containers = createContainerCommands(parts, lifecycle);
  return {
    get config() {
      return config;
    },
    reload(changed, attributes) {
      config = changed;
      rooms.events.publish({ type: 'daemon', action: 'reload', actor: { id, attributes } });
    },
    id,
    written: () => store.written(),
    edition: () => model.edition,
    networks: createNetworkCommands(parts, createAttaching(parts, lifecycle)),
    containers,
    builds: createBuildCommands(parts, containers),
    clusterSide: createClusterSide(parts),
    seeing: createSeeing({ kernel, model, derive, dirty, host: rooms.host, drivers: rooms.drivers }),
    execs: createExecCommands(parts),
    volumes: rooms.volumes,
    images: rooms.images,
    events: rooms.events,
    runtime: { name: rooms.runtime.name, version: rooms.runtime.version },
    warnings: () => [
      ...lossWarnings(rooms.opened, found.length, strays),
      ...suspended().map(({ text }) => text),
      ...(rooms.cluster()?.warnings() ?? []),
    ],
    dropped: () => droppedPackets(model, kernel.dropped()),
    networkDrivers: () => [...new Set([...rooms.drivers.keys(), ...rooms.plugins.active('NetworkDriver')])],
    async close() {
      beside.close();
      lifecycle.close();
      drift.close();
      dirty.close();
      replay.close();
      parts.debts.close();
      if (strays.size === 0) retire(kernel, model, derive);
      await kernel.settled();
    },
  };
};

const establishPredefined = (parts: Parts): void => {
  const { warnings } = carryOut(parts, decidePredefined(parts, fresh()));
  for (const { about, text } of warnings) parts.log.warn(about, text);
};

/** Tells each warning that `find` has now once, and again when it has ended and come back. */
const teller = (log: Logger, find: () => readonly Warning[]): (() => void) => {
  let told: ReadonlySet<string> = new Set();
  return () => {
    const now = new Map(find().map((warning) => [JSON.stringify(warning), warning]));
    for (const [key, { about, text }] of now) if (!told.has(key)) log.warn(about, text);
    told = new Set(now.keys());
  };
};
