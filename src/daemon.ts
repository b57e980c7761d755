/** Builds the running daemon out of its rooms: the one place that sees them all. No signals, no process exit here. */
import { randomUUID } from 'node:crypto';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { readHostFacts } from './api/host/facts.js';
import { createApi } from './api/index.js';
import { MOBY } from './api/present/system.js';
import type { Swarm } from './cluster/contract.js';
import { createSwarm, type LocalSwarm, type SwarmSettings } from './cluster/index.js';
import type { OwnHost } from './cluster/keyvalue/index.js';
import { withSwarm } from './cluster/networks.js';
import type { DaemonConfig } from './config/contract.js';
import { tcpAddresses, tcpPorts } from './config/tcp.js';
import { createResolver } from './dns/index.js';
import type { HostView } from './drivers/contract.js';
import { DRIVERS } from './drivers/index.js';
import { hostInterfaces, namedBridges, parentNames } from './engine/commit/derive.js';
import { hostSettings } from './engine/commit/settings.js';
import { createNames } from './engine/containers/names.js';
import type { Engine, NetworkCommands } from './engine/contract.js';
import { createEvents } from './engine/events.js';
import { createHostFacts, hasIpv6, hasOvsModule, hostAddress } from './engine/host-facts.js';
import { loadModel, Model, type RunningEngine, startEngine } from './engine/index.js';
import { checkOfNodes } from './engine/networks/of-nodes.js';
import { movedLinks } from './engine/plugins/owed-calls.js';
import { createVolumes } from './engine/volumes/index.js';
import { unavailable } from './errors.js';
import { apiElements, relayElements } from './firewall/index.js';
import { createImages } from './images/index.js';
import { addressOfHost } from './kernel/host-address.js';
import { hostHolds, hostLink } from './kernel/host-link.js';
import { createKernel } from './kernel/index.js';
import { sweepNamespaceFiles } from './kernel/netns.js';
import { createNftables, foreignDrops, Keeper, sandboxRedirect } from './kernel/nftables/index.js';
import { createRemoteMounts } from './kernel/remote-mount.js';
import { rootIsMountPoint } from './kernel/root-mount.js';
import { createTrash } from './kernel/trash.js';
import { tunnelKey } from './kernel/tunnel-key.js';
import type { Logger } from './log.js';
import type { Tunnel } from './model/tunnel.js';
import { createOvs } from './ovs/index.js';
import { createPlugins } from './plugins/index.js';
import { createPorts } from './ports/index.js';
import { createRuntime } from './runtime/index.js';
import { openStore } from './store/store.js';
import { createTaskEngine } from './task-engine.js';

export interface Daemon {
  readonly engine: RunningEngine;
  close(): Promise<void>;
}

/** Of a container with ten thousand ports each commit is a megabyte, and its start follows its making at once. */
const SNAPSHOT_LULL_MS = 1_000;

const hostView = (config: DaemonConfig): HostView => ({
  mtu: config.mtu,
  ipForward: config.ipForward,
  ipMasquerade: config.ipMasquerade,
  icc: config.icc,
  hostIp: config.ip,
  ipv6: hasIpv6(),
  ovsDatapath: hasOvsModule() ? 'system' : 'netdev',
});

/** In moby's words. */
const incompatible = async (): Promise<never> => {
  throw unavailable(
    '--cluster-store and --cluster-advertise daemon configurations are incompatible with swarm mode',
  );
};
const withoutSwarm = (swarm: LocalSwarm): Swarm => ({ ...swarm, init: incompatible, join: incompatible });

/** Loaded only where there is one: nobody else pays for it. */
const clusterOf = async ({ cluster }: DaemonConfig, host: () => OwnHost, log: Logger) =>
  cluster && (await import('./cluster/keyvalue/index.js')).openKeyValue(cluster, host(), log);

/** `release`: Viaduct's own version, shown by the API. */
export const startDaemon = async (config: DaemonConfig, log: Logger, release: string): Promise<Daemon> => {
  const runtime = createRuntime({
    stateDir: join(config.execRoot, 'containers'),
    logDir: (id) => join(config.dataRoot, 'containers', id),
    logger: log,
  });
  const images = createImages({
    dataRoot: config.dataRoot,
    execRoot: config.execRoot,
    insecureRegistries: config.insecureRegistries,
    registryMirrors: config.registryMirrors,
  });
  // The runtime asks a program for its version: we read the records meanwhile.
  const ready = Promise.all([runtime.open(), images.open()]);
  ready.catch(() => {}); // awaited below
  const { store, ...opened } = await openStore(config, (message) => log.error({}, message), SNAPSHOT_LULL_MS);
  if (opened.quarantined)
    log.error(
      opened.quarantined,
      'the record of networks and containers could not be read and was set aside',
    );
  if (opened.restored)
    log.error(
      opened.restored,
      'the record was taken from its copy: what changed after that moment is not known',
    );
  const trash = createTrash();
  const host = hostView(config);
  const model = new Model();
  loadModel(model, store);
  const namespaces = join(config.execRoot, 'netns');
  sweepNamespaceFiles(namespaces, new Set([...model.sandboxes.values()].map((s) => s.netns)));
  const ports = createPorts(tcpAddresses(config.hosts));
  const resolver = createResolver({
    names: createNames(model),
    redirect: sandboxRedirect,
    warn: (message, error) => log.warn({ error: error.message }, message),
  });
  const ownKey = tunnelKey(join(config.dataRoot, 'wireguard.key'));
  const tunnel = (): Tunnel => ({ key: ownKey.publicKey(), port: config.wireguardPort });
  const kernel = createKernel({
    nftables: createNftables(
      'host',
      new Keeper({ home: config.execRoot, warn: (message) => log.warn({}, message) }),
    ),
    hostPorts: ports,
    resolvers: resolver,
    namespaces,
    bridges: () => namedBridges(model, { host, drivers: DRIVERS }),
    moved: () => movedLinks(model),
    ovs: createOvs({
      runDirectory: config.ovsRunDirectory,
      wanted: () => [...model.networks.values()].some((n) => n.driver === 'ovs'),
    }),
    services: () => model.tables.balancer.records.size > 0 || model.overlays().length > 0,
    parents: () => parentNames(model, { host, drivers: DRIVERS }),
    settings: hostSettings(model, { host, drivers: DRIVERS }),
    tunnelKey: ownKey.privateKey,
  });
  await ready;
  const cluster = await clusterOf(
    config,
    () => ({ id: store.setting('id', randomUUID), tunnel: tunnel() }),
    log,
  );
  const events = createEvents({
    onListenerError: (error) => log.error({ error: String(error) }, 'event listener failed'),
  });
  let swarm: LocalSwarm | undefined;
  const engine = await startEngine({
    config,
    host,
    facts: createHostFacts({
      ours: () => hostInterfaces(model, { host, drivers: DRIVERS }),
      link: hostLink,
      holds: hostHolds,
      freePort: ports.free,
      gateways: () => (config.hostGatewayIps.length > 0 ? config.hostGatewayIps : bridgeGateways(model)),
    }),
    store,
    opened,
    model,
    kernel,
    hostPorts: ports,
    drivers: DRIVERS,
    plugins: createPlugins(config.pluginDirectories),
    cluster: () => cluster?.store ?? swarm?.store(),
    daemon: [...relayElements(ports.relayPort()), ...apiElements(tcpPorts(config.hosts))],
    images,
    runtime,
    volumes: createVolumes({
      erase: trash.remove,
      addressOf: addressOfHost,
      remote: createRemoteMounts(),
      dataRoot: config.dataRoot,
      publish: events.publish,
      warn: (message) => log.warn({}, message),
      usedBy: (name) =>
        [...model.containers.values()].filter((c) => c.mounts.some((m) => m.name === name)).map((c) => c.id),
    }),
    events,
    log,
  });
  cluster?.start(engine.clusterSide);
  if (!rootIsMountPoint())
    log.warn(
      {},
      'the root directory is no mount point (a plain chroot?): images and containers cannot be made in it; before entering it: mount --bind ROOT ROOT',
    );
  for (const { family, table, chain } of foreignDrops())
    log.warn(
      { family, table, chain },
      'another firewall drops forwarded packets before or after us: containers may not be reached',
    );
  const ownSwarm = createSwarm({
    side: engine.clusterSide,
    disconnect: (network, container) => engine.networks.disconnect(network, container, true),
    tasks: createTaskEngine(engine, log),
    dataRoot: config.dataRoot,
    execRoot: config.execRoot,
    defaultAdvertise: () => engine.config.swarmAdvertise,
    interfaces: () => interfacesNow(hostInterfaces(model, { host, drivers: DRIVERS })),
    describe: () => describeNode(engine),
    tunnel,
    rules: {
      wish: (request, wire) => DRIVERS.get(request.driver)?.wish?.(request, wire),
      check: (network) => DRIVERS.get(network.driver)?.validate(network, [], host),
      checkOfNodes: (request) => checkOfNodes({ drivers: DRIVERS }, request),
    },
    publish: events.publish,
    log,
  });
  swarm = ownSwarm;
  await ownSwarm.resume();
  const networks = withSwarm(
    engine.networks,
    ownSwarm,
    ({ driver }) => DRIVERS.get(driver)?.wish !== undefined,
  );
  const api = createApi(withNetworks(engine, networks), {
    logger: log,
    release,
    swarm: cluster ? withoutSwarm(ownSwarm) : ownSwarm,
  });
  await api.listen(config.hosts);
  return {
    engine,
    async close() {
      await api.close();
      await ownSwarm.close();
      await cluster?.close();
      await engine.close();
      await Promise.all([runtime.close(), images.close(), trash.close()]);
      resolver.close();
      ports.close();
      await kernel.close();
      await store.close();
    },
  };
};

/** The engine as clients see it. */
const withNetworks = (engine: RunningEngine, networks: NetworkCommands): Engine =>
  Object.create(engine, { networks: { value: networks } });

/** Those that are up, with their addresses. `ours`: names of those on our networks. */
const interfacesNow = (ours: ReadonlySet<string>): ReturnType<SwarmSettings['interfaces']> =>
  Object.entries(networkInterfaces()).map(([name, addresses = []]) => ({
    name,
    ours: ours.has(name),
    addresses: addresses.map(({ address, family }) => ({ address, family: family === 'IPv4' ? 4 : 6 })),
  }));

const NS_PER_SECOND = 1_000_000_000;

/** What the cluster knows of this machine. */
const describeNode = (engine: RunningEngine): ReturnType<SwarmSettings['describe']> => {
  const facts = readHostFacts();
  return {
    hostname: facts.name,
    architecture: facts.machine,
    os: 'linux',
    nanoCpus: facts.processors * NS_PER_SECOND,
    memoryBytes: facts.memoryBytes,
    engineVersion: MOBY,
    labels: Object.fromEntries(
      engine.config.labels.map((label) => {
        const [key = '', ...value] = label.split('=');
        return [key, value.join('=')];
      }),
    ),
    plugins: [
      ...engine.networkDrivers().map((name) => ({ type: 'Network', name })),
      ...['json-file', 'none'].map((name) => ({ type: 'Log', name })),
      { type: 'Volume', name: 'local' },
    ],
  };
};

/** `host-gateway` is the default bridge's own address, else the host's. */
const bridgeGateways = (model: Model): readonly string[] => {
  const gateways = model.networkNamed('bridge')?.pools.flatMap((p) => p.gateway ?? []) ?? [];
  return gateways.length > 0 ? gateways : [hostAddress() ?? '127.0.0.1'];
};
