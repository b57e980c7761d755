/** Networks, endpoints, sandboxes and containers as tests want them: everything defaulted, one thing changed. */
import type { EndpointView, HostView, OverlayPlace } from '../../src/drivers/contract.js';
import type { Balancer } from '../../src/model/balancer.js';
import type { Container, ContainerConfig, HostConfig } from '../../src/model/container.js';
import type { Endpoint, Sandbox } from '../../src/model/endpoint.js';
import type { ContainerId, EndpointId, NetworkId, SandboxId } from '../../src/model/ids.js';
import type { Network, Pool } from '../../src/model/network.js';
import type { Peer } from '../../src/model/peer.js';

/** A 64-digit id that starts with the text's hex digits. The brand is the test's to give. */
const id = <T extends string>(start: string): T => start.padEnd(64, '0') as T;

export const HOST: HostView = {
  mtu: 0,
  ipForward: true,
  ipMasquerade: true,
  icc: true,
  hostIp: '0.0.0.0',
  ipv6: true,
};

export const POOL4: Pool = { family: 4, subnet: '172.18.0.0/16', gateway: '172.18.0.1', auxiliary: {} };
export const POOL6: Pool = { family: 6, subnet: 'fd00:1::/64', gateway: 'fd00:1::1', auxiliary: {} };

export const aNetwork = (changes: Partial<Omit<Network, 'id'>> & { id?: string } = {}): Network => {
  const { id: start = 'a1b2c3d4e5f6', ...rest } = changes;
  return {
    name: 'mynetwork',
    driver: 'bridge',
    scope: 'local',
    createdAt: '2026-01-01T00:00:00.000000000Z',
    ipv4: true,
    ipv6: false,
    internal: false,
    attachable: false,
    configOnly: false,
    configFrom: '',
    options: {},
    labels: {},
    ipam: { driver: 'default', options: {}, config: [] },
    pools: rest.ipv6 ? [POOL4, POOL6] : [POOL4],
    predefined: false,
    ...rest,
    id: id<NetworkId>(start),
  };
};

/** One that spans hosts, as they have agreed on it. */
export const anOverlay = (changes: Parameters<typeof aNetwork>[0] = {}): Network =>
  aNetwork({
    driver: 'overlay',
    scope: 'global',
    overlay: { vni: 4096, port: 4789, mtu: 1450 },
    ...changes,
  });

/** What another host has on a network. */
export const aPeer = (changes: Partial<Peer> = {}): Peer => ({
  id: `${id<NetworkId>('a1b2c3d4e5f6')}/node2`,
  networkId: id<NetworkId>('a1b2c3d4e5f6'),
  node: 'node2',
  address: '192.0.2.3',
  endpoints: [
    {
      id: id<EndpointId>('f0'),
      containerId: id<ContainerId>('d0'),
      containerName: 'db',
      mac: '02:42:ac:12:00:09',
      ipv4: '172.18.0.9/16',
      dnsNames: ['db', 'store'],
    },
  ],
  ...changes,
});

/** A service on a network, with a backend for each of the last numbers of its tasks' addresses. */
export const aBalancer = (numbers: readonly number[], changes: Partial<Balancer> = {}): Balancer => ({
  id: `${id<NetworkId>('a1b2c3d4e5f6')}/service1`,
  networkId: id<NetworkId>('a1b2c3d4e5f6'),
  serviceId: 'service1',
  names: ['Shop', 'store'],
  vip4: '172.18.1.1',
  backends: numbers.map((n) => ({ id: `t${n}`, node: 'node2', ipv4: `172.18.1.${n}` })),
  ports: [],
  ...changes,
});

export const aSandbox = (changes: Partial<Omit<Sandbox, 'id'>> & { id?: string } = {}): Sandbox => {
  const { id: start = '5a', ...rest } = changes;
  return {
    containerId: id<ContainerId>('c0'),
    netns: `/run/viaduct/netns/${start}`,
    mode: 'private',
    gateway4: id<EndpointId>('e0'),
    gateway6: id<EndpointId>('e0'),
    bindings: [],
    sysctls: {},
    dns: { embedded: true, servers: [], search: [], options: [] },
    ...rest,
    id: id<SandboxId>(start),
  };
};

export const anEndpoint = (changes: Partial<Omit<Endpoint, 'id'>> & { id?: string } = {}): Endpoint => {
  const { id: start = 'e0', ...rest } = changes;
  return {
    networkId: id<NetworkId>('a1b2c3d4e5f6'),
    sandboxId: id<SandboxId>('5a'),
    containerId: id<ContainerId>('c0'),
    containerName: 'web',
    ifname: 'eth0',
    hostIfname: `veth${start.padEnd(11, '0')}`,
    mac: '02:42:ac:12:00:02',
    ipv4: '172.18.0.2/16',
    linkLocal: [],
    dnsNames: ['web'],
    aliases: [],
    driverOptions: {},
    gwPriority: 0,
    exposed: [],
    bindings: [],
    linkedTo: [],
    ...rest,
    id: id<EndpointId>(start),
  };
};

const CONFIG: ContainerConfig = {
  Hostname: '',
  Domainname: '',
  User: '',
  AttachStdin: false,
  AttachStdout: true,
  AttachStderr: true,
  Tty: false,
  OpenStdin: false,
  StdinOnce: false,
  Env: [],
  Cmd: null,
  Entrypoint: null,
  Image: 'busybox',
  WorkingDir: '',
  Labels: {},
};

const HOST_CONFIG: HostConfig = {
  NetworkMode: 'default',
  PortBindings: {},
  PublishAllPorts: false,
  RestartPolicy: { Name: 'no', MaximumRetryCount: 0 },
  AutoRemove: false,
};

/** One that does not run. */
export const aContainer = (
  changes: Partial<Omit<Container, 'id' | 'config' | 'hostConfig'>> & {
    readonly id: string;
    readonly name: string;
    readonly config?: Partial<ContainerConfig>;
    readonly hostConfig?: Partial<HostConfig>;
  },
): Container => {
  const { id: start, config, hostConfig, ...rest } = changes;
  return {
    createdAt: '2026-01-01T00:00:00.000000000Z',
    imageId: 'sha256:00',
    imageName: 'busybox',
    config: { ...CONFIG, Hostname: start.slice(0, 12), ...config },
    hostConfig: { ...HOST_CONFIG, ...hostConfig },
    networks: [],
    mounts: [],
    args: ['sh'],
    state: {
      status: 'created',
      pid: 0,
      exitCode: 0,
      error: '',
      oomKilled: false,
      startedAt: '',
      finishedAt: '',
    },
    restartCount: 0,
    stoppedByUser: false,
    sandboxId: null,
    endpointIds: [],
    ...rest,
    id: id<ContainerId>(start),
  };
};

export const aView = (
  changes: {
    host?: Partial<HostView>;
    network?: Network;
    endpoint?: Endpoint;
    sandbox?: Sandbox;
    place?: OverlayPlace;
  } = {},
): EndpointView => ({
  ...(changes.place ? { place: changes.place } : {}),
  host: { ...HOST, ...changes.host },
  network: changes.network ?? aNetwork(),
  endpoint: changes.endpoint ?? anEndpoint(),
  sandbox: changes.sandbox ?? aSandbox(),
});
