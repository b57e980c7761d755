/**
 * An engine in memory for tests of the API: networks, containers and execs as plain records. A container's or exec's
 * process says `hello`, then echoes its input until it ends; nothing touches the system.
 */

import { PassThrough, Readable } from 'node:stream';
import type { DaemonConfig } from '../../src/config/contract.js';
import type { Engine, ExecInstance } from '../../src/engine/contract.js';
import { createEvents } from '../../src/engine/events.js';
import { freshId } from '../../src/engine/fresh.js';
import { conflict, forbidden, invalid, notFound, notModified } from '../../src/errors.js';
import type { Container } from '../../src/model/container.js';
import type { Endpoint } from '../../src/model/endpoint.js';
import type { ContainerId, EndpointId, NetworkId, SandboxId } from '../../src/model/ids.js';
import type { Image } from '../../src/model/image.js';
import type { Network } from '../../src/model/network.js';
import type { Volume } from '../../src/model/volume.js';
import type { RunningExec, Streams, Usage } from '../../src/runtime/contract.js';

export const CONFIG: DaemonConfig = {
  hosts: ['unix:///nowhere'],
  group: '',
  tls: null,
  dataRoot: '/var/lib/viaduct',
  execRoot: '/run/viaduct',
  pidFile: '',
  configFile: '',
  debug: false,
  logLevel: 'info',
  bridge: '',
  bip: '',
  bip6: '',
  fixedCidr: '',
  fixedCidrV6: '',
  defaultGateway: '',
  defaultGatewayV6: '',
  defaultAddressPools: [{ base: '172.17.0.0/12', size: 16 }],
  defaultNetworkOptions: {},
  mtu: 1500,
  icc: true,
  ip: '0.0.0.0',
  ipForward: true,
  ipMasquerade: true,
  ipv6: false,
  dns: [],
  dnsOptions: [],
  dnsSearch: [],
  ovsRunDirectory: '/run/openvswitch',
  hostGatewayIps: [],
  labels: [],
  shutdownTimeout: 15,
  liveRestore: true,
  insecureRegistries: [],
  pluginDirectories: { sockets: '/run/docker/plugins', specs: [] },
  registryMirrors: [],
  swarmAdvertise: '',
  init: false,
  linkVariables: true,
  wireguardPort: 51_820,
};

export const IMAGE: Image = {
  id: `sha256:${'ab'.repeat(32)}`,
  tags: ['busybox:latest'],
  digests: [],
  createdAt: '2026-01-02T03:04:05Z',
  size: 1_234_567,
  architecture: 'amd64',
  os: 'linux',
  author: '',
  comment: '',
  config: {
    Env: ['PATH=/bin'],
    Cmd: ['sh'],
    Entrypoint: null,
    ExposedPorts: {},
    Volumes: {},
    WorkingDir: '',
    User: '',
    Labels: {},
    StopSignal: '',
  },
  diffIds: [`sha256:${'cd'.repeat(32)}`],
  history: [
    { createdAt: '2026-01-02T03:04:05Z', createdBy: 'ADD', comment: '', size: 1_234_567, emptyLayer: false },
  ],
};

const USAGE: Usage = {
  cpuNanoseconds: 1_000_000_000,
  cpuUserNanoseconds: 600_000_000,
  cpuSystemNanoseconds: 400_000_000,
  onlineCpus: 2,
  hostCpuNanoseconds: 100_000_000_000,
  memoryBytes: 10_000_000,
  memoryLimitBytes: 1_000_000_000,
  memoryCacheBytes: 2_000_000,
  pids: 3,
  blockReadBytes: 4096,
  blockWriteBytes: 8192,
};

const NEVER = '0001-01-01T00:00:00Z';

/** Records by full id, then name, then unambiguous prefix of the id. */
function lookUp<T extends { readonly id: string; readonly name: string }>(
  all: readonly T[],
  reference: string,
): T | undefined {
  const name = reference.replace(/^\//, '');
  const exact = all.find((each) => each.id === name) ?? all.find((each) => each.name === name);
  if (exact !== undefined || name === '') return exact;
  const prefixed = all.filter((each) => each.id.startsWith(name));
  if (prefixed.length > 1) throw invalid(`multiple IDs found with provided prefix: ${name}`);
  return prefixed[0];
}

export interface FakeEngine extends Engine {
  /** every request for a new container as the API translated it */
  readonly created: Parameters<Engine['containers']['create']>[0][];
  /** every request for a build as the API translated it */
  readonly built: Parameters<Engine['builds']['build']>[0][];
  /** ends a container's process */
  exit(reference: string, exitCode: number): void;
  /** times the streams of a container were let go */
  readonly detached: { count: number };
}

/** `process`: what is behind a container's or exec's streams; default: says hello and echoes. */
export function createFakeEngine(
  options: { process?: (command: readonly string[]) => Streams } = {},
): FakeEngine {
  const networks = new Map<string, Network>();
  const containers = new Map<string, Container>();
  const endpoints = new Map<string, Endpoint>();
  const execs = new Map<string, ExecInstance>();
  const volumes = new Map<string, Volume>();
  const waiters = new Map<string, ((exitCode: number) => void)[]>();
  const running = new Map<string, Streams>();
  const events = createEvents();
  const detached = { count: 0 };
  const created: FakeEngine['created'] = [];
  const built: FakeEngine['built'] = [];
  let lastAddress = 1;

  const makeNetwork = (name: string, driver: string, extra: Partial<Network> = {}): Network => {
    const subnet = `172.${17 + networks.size}.0.0/16`;
    const gateway = `172.${17 + networks.size}.0.1`;
    const network: Network = {
      id: freshId<NetworkId>(),
      name,
      driver,
      scope: 'local',
      createdAt: new Date().toISOString(),
      ipv4: true,
      ipv6: false,
      internal: false,
      attachable: false,
      configOnly: false,
      configFrom: '',
      options: {},
      labels: {},
      ipam: { driver: 'default', options: {}, config: driver === 'bridge' ? [{ subnet, gateway }] : [] },
      pools: driver === 'bridge' ? [{ family: 4, subnet, gateway, auxiliary: {} }] : [],
      predefined: false,
      ...extra,
    };
    networks.set(network.id, network);
    return network;
  };
  for (const [name, driver] of [
    ['bridge', 'bridge'],
    ['host', 'host'],
    ['none', 'null'],
  ] as const) {
    makeNetwork(name, driver, { predefined: true });
  }

  const findNetwork = (reference: string): Network | undefined =>
    lookUp([...networks.values()], reference === 'default' ? 'bridge' : reference);
  const getNetwork = (reference: string): Network => {
    const network = findNetwork(reference);
    if (network === undefined) throw notFound(`network ${reference} not found`);
    return network;
  };
  const findContainer = (reference: string): Container | undefined =>
    lookUp([...containers.values()], reference);
  const getContainer = (reference: string): Container => {
    const container = findContainer(reference);
    if (container === undefined) throw notFound(`No such container: ${reference}`);
    return container;
  };
  const change = (id: string, patch: Partial<Container>): void => {
    containers.set(id, { ...getContainer(id), ...patch });
  };
  const publish = (container: Container, action: string): void =>
    events.publish({
      type: 'container',
      action,
      actor: { id: container.id, attributes: { name: container.name, image: container.imageName } },
    });
  const echo = (): Streams => {
    const stdin = new PassThrough();
    const stdout = new PassThrough();
    stdout.write('hello\n');
    stdin.pipe(stdout);
    return {
      stdin,
      stdout,
      stderr: Readable.from([]),
      detach() {
        detached.count += 1;
      },
    };
  };
  const start = options.process ?? echo;
  const streamsOf = (id: string): Streams => {
    const streams = running.get(id) ?? start(getContainer(id).args);
    running.set(id, streams);
    return streams;
  };
  const attachEndpoint = (container: Container, network: Network): Endpoint => {
    lastAddress += 1;
    const endpoint: Endpoint = {
      id: freshId<EndpointId>(),
      networkId: network.id,
      sandboxId: freshId<SandboxId>(),
      containerId: container.id,
      containerName: container.name,
      ifname: 'eth0',
      hostIfname: 'veth0',
      mac: '02:42:ac:11:00:02',
      ipv4: network.pools[0]?.subnet.replace(/\.0\/(\d+)$/, `.${lastAddress}/$1`) ?? '',
      linkLocal: [],
      dnsNames: [container.name],
      aliases: [],
      driverOptions: {},
      gwPriority: 0,
      exposed: Object.keys(container.config.ExposedPorts ?? {}).map((key) => ({
        protocol: key.endsWith('/udp') ? ('udp' as const) : ('tcp' as const),
        port: Number(key.split('/')[0]),
      })),
      bindings: Object.entries(container.hostConfig.PortBindings).flatMap(([key, list]) =>
        (list ?? []).map((binding) => ({
          protocol: key.endsWith('/udp') ? ('udp' as const) : ('tcp' as const),
          hostIp: binding.HostIp || '0.0.0.0',
          hostPort: Number(binding.HostPort) || 32768,
          containerPort: Number(key.split('/')[0]),
          count: 1,
        })),
      ),
      linkedTo: [],
    };
    endpoints.set(endpoint.id, endpoint);
    return endpoint;
  };
  const exit = (reference: string, exitCode: number): void => {
    const { id, endpointIds, state, hostConfig } = getContainer(reference);
    for (const each of endpointIds) endpoints.delete(each);
    change(id, {
      endpointIds: [],
      state: { ...state, status: 'exited', pid: 0, exitCode, finishedAt: new Date().toISOString() },
    });
    const streams = running.get(id);
    streams?.stdin?.end();
    if (streams?.stdout instanceof PassThrough) streams.stdout.end();
    running.delete(id);
    if (hostConfig.AutoRemove) containers.delete(id);
    for (const wake of waiters.get(id) ?? []) wake(exitCode);
    waiters.delete(id);
  };

  const engine: Engine = {
    written: () => undefined,
    edition: () => performance.now(), // another one each time: nobody counts the changes of these records
    config: CONFIG,
    id: 'fake-engine',
    runtime: { name: 'crun', version: '1.8.1' },
    warnings: () => ['the record was set aside'],
    dropped: () => [{ container: 'web', network: 'net', reason: 'another address than its own', packets: 3 }],
    seeing: {
      async objectsOfContainer(reference) {
        const { id, name } = getContainer(reference);
        const owner = { kind: 'sandbox' as const, id, name: `container ${name}` };
        return [{ kind: 'netns', text: `ip netns add ${id.slice(0, 12)}`, owner, state: 'there' }];
      },
      objectsOfNetwork: async () => [],
      topology: () => ({ networks: [], containers: [], endpoints: [] }),
      plan: async () => [],
      dirty: () => [],
    },
    networkDrivers: () => ['bridge', 'host', 'null'],
    events,
    networks: {
      async create(request) {
        if (request.name === '') throw invalid('network name cannot be empty');
        if (['bridge', 'host', 'none', 'default'].includes(request.name)) {
          throw forbidden(`operation is not permitted on predefined ${request.name} network `);
        }
        if (findNetwork(request.name)?.name === request.name) {
          throw conflict(`network with name ${request.name} already exists`);
        }
        const network = makeNetwork(request.name, request.driver || 'bridge', {
          internal: request.internal,
          attachable: request.attachable,
          options: request.options,
          labels: request.labels,
        });
        return { id: network.id, warning: '' };
      },
      async remove(reference) {
        const network = getNetwork(reference);
        if (network.predefined) {
          throw forbidden(`${network.name} is a pre-defined network and cannot be removed`);
        }
        networks.delete(network.id);
      },
      list: () => [...networks.values()],
      get: getNetwork,
      find: findNetwork,
      endpoints: (network) => [...endpoints.values()].filter((each) => each.networkId === network.id),
      peers: () => [],
      balancers: () => [],
      addresses: () => new Map(),
      async connect(reference, container, settings) {
        const network = getNetwork(reference);
        const found = getContainer(container);
        const endpoint = found.state.status === 'running' ? attachEndpoint(found, network) : undefined;
        change(found.id, {
          networks: [...found.networks, { networkId: network.id, name: network.name, settings }],
          endpointIds: endpoint === undefined ? found.endpointIds : [...found.endpointIds, endpoint.id],
        });
      },
      async disconnect(reference, container) {
        const network = getNetwork(reference);
        const found = getContainer(container);
        change(found.id, { networks: found.networks.filter((each) => each.networkId !== network.id) });
      },
      async prune(selected) {
        const chosen = [...networks.values()].filter(selected);
        for (const network of chosen) networks.delete(network.id);
        return chosen.map((network) => network.name);
      },
    },
    containers: {
      async create(request) {
        created.push(request);
        if (request.config.Image !== 'busybox' && request.config.Image !== 'busybox:latest') {
          throw notFound(`No such image: ${request.config.Image}`);
        }
        const id = freshId<ContainerId>();
        const name = request.name || `fake_${id.slice(0, 6)}`;
        if (lookUp([...containers.values()], name)?.name === name) {
          throw conflict(`Conflict. The container name "/${name}" is already in use`);
        }
        const main = findNetwork(request.hostConfig.NetworkMode);
        const listed =
          request.networks.length > 0
            ? request.networks
            : main === undefined
              ? []
              : [
                  {
                    network: main.id as string,
                    settings: {
                      linkLocal: [],
                      mac: '',
                      aliases: [],
                      links: [],
                      driverOptions: {},
                      gwPriority: 0,
                    },
                  },
                ];
        const container: Container = {
          id,
          name,
          createdAt: new Date().toISOString(),
          imageId: IMAGE.id,
          imageName: request.config.Image,
          config: { ...request.config, Hostname: request.config.Hostname || id.slice(0, 12) },
          hostConfig: request.hostConfig,
          networks: listed.map(({ network, settings }) => ({
            networkId: getNetwork(network).id,
            name: getNetwork(network).name,
            settings,
          })),
          mounts: [],
          args: [...(request.config.Cmd ?? ['sh'])],
          state: {
            status: 'created',
            pid: 0,
            exitCode: 0,
            error: '',
            oomKilled: false,
            startedAt: NEVER,
            finishedAt: NEVER,
          },
          restartCount: 0,
          stoppedByUser: false,
          sandboxId: null,
          endpointIds: [],
        };
        containers.set(id, container);
        publish(container, 'create');
        return { id, warnings: [] };
      },
      async start(reference) {
        const container = getContainer(reference);
        if (container.state.status === 'running') throw notModified('already started');
        change(container.id, {
          state: { ...container.state, status: 'running', pid: 4242, startedAt: new Date().toISOString() },
          endpointIds: container.networks.map(
            (each) => attachEndpoint(container, getNetwork(each.networkId)).id,
          ),
        });
        streamsOf(container.id);
        publish(container, 'start');
      },
      async stop(reference) {
        if (getContainer(reference).state.status !== 'running') throw notModified('already stopped');
        exit(reference, 0);
      },
      async restart(reference) {
        getContainer(reference);
      },
      async kill(reference) {
        const container = getContainer(reference);
        if (container.state.status !== 'running') throw conflict(`container ${container.id} is not running`);
        exit(reference, 137);
      },
      async pause(reference) {
        const { id, state } = getContainer(reference);
        change(id, { state: { ...state, status: 'paused' } });
      },
      async unpause(reference) {
        const { id, state } = getContainer(reference);
        change(id, { state: { ...state, status: 'running' } });
      },
      async remove(reference, { force }) {
        const container = getContainer(reference);
        if (container.state.status === 'running') {
          if (!force) throw conflict(`cannot remove container "${container.name}": container is running`);
          exit(reference, 137);
        }
        containers.delete(container.id);
      },
      async rename(reference, name) {
        if (name === '') throw invalid('Neither old nor new names may be empty');
        change(getContainer(reference).id, { name });
      },
      async update(reference, hostConfig) {
        const container = getContainer(reference);
        change(container.id, { hostConfig: { ...container.hostConfig, ...hostConfig } });
        return [];
      },
      async prune(selected) {
        const chosen = [...containers.values()].filter(
          (each) => each.state.status !== 'running' && selected(each),
        );
        for (const each of chosen) containers.delete(each.id);
        return { deleted: chosen.map((each) => each.id), bytes: 0 };
      },
      list: () => [...containers.values()],
      get: getContainer,
      find: findContainer,
      endpoints: (container) =>
        getContainer(container.id).endpointIds.flatMap((id) => endpoints.get(id) ?? []),
      sandbox: () => undefined,
      paths: () => ({ hosts: '/h', resolvConf: '/r', hostname: '/n', log: '/l' }),
      wait(reference, condition) {
        const { id, state } = getContainer(reference);
        if (condition === 'not-running' && state.status !== 'running') {
          return Promise.resolve({ exitCode: state.exitCode, error: '' });
        }
        return new Promise((resolve) => {
          const wake = (exitCode: number): void => resolve({ exitCode, error: '' });
          waiters.set(id, [...(waiters.get(id) ?? []), wake]);
        });
      },
      ended: () => undefined,
      attach: (reference) => ({ streams: Promise.resolve(streamsOf(getContainer(reference).id)) }),
      resize(reference) {
        getContainer(reference);
      },
      async *logs(reference, request) {
        getContainer(reference);
        const lines = [
          { stream: 'stdout' as const, time: '2026-01-02T03:04:05.1Z', text: Buffer.from('out\n') },
          { stream: 'stderr' as const, time: '2026-01-02T03:04:05.2Z', text: Buffer.from('err\n') },
        ];
        yield* lines.filter((line) => request[line.stream]);
      },
      usage: (reference) => (getContainer(reference).state.status === 'running' ? USAGE : undefined),
      top: async () => ({ titles: ['PID', 'CMD'], processes: [['4242', 'sh']] }),
      changes: async () => [],
      commit: async () => IMAGE.id,
      stat: async (_reference, path) => ({
        name: path,
        size: 5,
        mode: 0o644,
        mtime: '2026-01-02T03:04:05Z',
        linkTarget: '',
      }),
      archive: async (_reference, path) => ({
        stat: { name: path, size: 5, mode: 0o644, mtime: '2026-01-02T03:04:05Z', linkTarget: '' },
        tar: Readable.from([Buffer.from('tar')]),
      }),
      async extract(_reference, _path, tar) {
        for await (const _ of tar) {
          // read to the end
        }
      },
      export: async () => Readable.from([Buffer.from('tar')]),
    },
    execs: {
      create(reference, request) {
        const container = getContainer(reference);
        if (container.state.status !== 'running') throw conflict(`container ${container.id} is not running`);
        const id = freshId();
        execs.set(id, {
          id,
          containerId: container.id,
          request: { ...request, containerId: container.id },
          running: false,
          pid: 0,
          exitCode: null,
        });
        return { id };
      },
      start(id) {
        const exec = engine.execs.get(id);
        const run = async (): Promise<RunningExec> => {
          if (exec.request.command[0] === 'nosuch')
            throw invalid('OCI runtime exec failed: exec: "nosuch": not found');
          const streams = start(exec.request.command);
          execs.set(id, { ...exec, running: true, pid: 77 });
          const exited = new Promise<number>((resolve) => {
            streams.stdout.once('end', () => {
              execs.set(id, { ...exec, running: false, exitCode: 7 });
              resolve(7);
            });
          });
          return { pid: 77, streams, exited, resize() {}, end() {} };
        };
        return { running: run() };
      },
      resize(id) {
        engine.execs.get(id);
      },
      get(id) {
        const exec = execs.get(id);
        if (exec === undefined) throw notFound(`No such exec instance: ${id}`);
        return exec;
      },
      ofContainer: () => [],
    },
    volumes: {
      create(request) {
        const volume: Volume = {
          name: request.name || freshId(),
          driver: 'local',
          mountpoint: '/v',
          createdAt: new Date().toISOString(),
          labels: request.labels,
          options: request.options,
          anonymous: request.name === '',
        };
        volumes.set(volume.name, volume);
        return volume;
      },
      list: () => [...volumes.values()],
      get(name) {
        const volume = volumes.get(name);
        if (volume === undefined) throw notFound(`get ${name}: no such volume`);
        return volume;
      },
      async remove(name, force) {
        if (!force) engine.volumes.get(name);
        volumes.delete(name);
      },
      usedBy: () => [],
      size: async () => 42,
      async prune(selected) {
        const chosen = [...volumes.values()].filter(selected);
        for (const each of chosen) volumes.delete(each.name);
        return { deleted: chosen.map((each) => each.name), bytes: 0 };
      },
    },
    builds: {
      async build(request, tell) {
        built.push(request);
        for await (const _ of request.context) {
          // read to the end
        }
        await tell({ stream: 'Step 1/1 : FROM scratch\n' });
        await tell({ stream: `Successfully built ${IMAGE.id.slice(7, 19)}\n` });
        return IMAGE.id;
      },
    },
    images: {
      async open() {},
      list: () => [IMAGE],
      get(reference) {
        const image = engine.images.find(reference);
        if (image === undefined) throw notFound(`No such image: ${reference}`);
        return image;
      },
      remote: async () => ({ mediaType: 'm', digest: IMAGE.id, size: 2, platforms: [] }),
      find: (reference) => (['busybox', 'busybox:latest', IMAGE.id].includes(reference) ? IMAGE : undefined),
      finder: () => (reference) =>
        ['busybox', 'busybox:latest', IMAGE.id].includes(reference) ? IMAGE : undefined,
      async pull(reference, _auth, progress) {
        if (reference.startsWith('missing')) throw notFound(`pull access denied for ${reference}`);
        progress({ status: `Pulling from ${reference}` });
        if (reference.startsWith('broken')) throw notFound('manifest unknown');
      },
      async push(reference, _auth, progress) {
        progress({ status: `Pushing ${reference}` });
      },
      async load(tar, progress) {
        for await (const _ of tar) {
          // read to the end
        }
        progress({ stream: 'Loaded image: busybox:latest\n' });
      },
      save: () => Readable.from([Buffer.from('tar')]),
      import: async () => IMAGE.id,
      async tag() {},
      remove: async () => [{ Untagged: 'busybox:latest' }],
      prune: async () => ({ deleted: [], bytes: 0 }),
      drafts: () => {
        throw new Error('the fake engine builds by itself');
      },
      fullName: (reference) => `docker.io/library/${reference}`,
      familiarName: (name) => name.replace('docker.io/library/', ''),
      clearBuildCache: () => 0,
      commit: async () => IMAGE.id,
      mount: async () => '/',
      async unmount() {},
      async discard() {},
      mounted: () => [],
      changes: async () => [],
      writtenBytes: async () => 100,
      close: async () => undefined,
    },
  };
  return { ...engine, created, built, exit, detached };
}
