/** How the API shows containers, networks, images, events and readings. Pure. */

import { describe, expect, it } from 'vitest';
import { frame } from '../../src/api/http/stdcopy.js';
import { wideJson } from '../../src/api/http/wide-json.js';
import { presentInspect, presentSummary } from '../../src/api/present/container.js';
import { humanDuration } from '../../src/api/present/duration.js';
import { presentEvent } from '../../src/api/present/event.js';
import { presentHistory, presentImageInspect, presentImageSummary } from '../../src/api/present/image.js';
import { fixedNanoseconds } from '../../src/api/present/log.js';
import { logAttributes } from '../../src/api/present/log-attributes.js';
import { presentNetworkInspect } from '../../src/api/present/network.js';
import { presentNetworkServices } from '../../src/api/present/network-services.js';
import { presentPortMap, presentPortSummaries } from '../../src/api/present/ports.js';
import { presentState, presentStatus } from '../../src/api/present/state.js';
import { readCreate } from '../../src/api/read/create.js';
import { type Shown, summaryJson } from '../../src/api/routes/summaries.js';
import type { Answer } from '../../src/api/schema/answer.js';
import type { Engine } from '../../src/engine/contract.js';
import { freshId } from '../../src/engine/fresh.js';
import type { Container, ContainerState } from '../../src/model/container.js';
import type { Endpoint } from '../../src/model/endpoint.js';
import type { ContainerId, EndpointId, NetworkId, SandboxId } from '../../src/model/ids.js';
import type { Network } from '../../src/model/network.js';
import type { Peer } from '../../src/model/peer.js';
import { IMAGE } from '../support/fake-engine.js';

const network: Network = {
  id: freshId<NetworkId>(),
  name: 'bridge',
  driver: 'bridge',
  scope: 'local',
  createdAt: '2026-01-02T03:04:05.000000000Z',
  ipv4: true,
  ipv6: true,
  internal: false,
  attachable: false,
  configOnly: false,
  configFrom: '',
  options: {},
  labels: {},
  ipam: { driver: 'default', options: {}, config: [{ subnet: '172.17.0.0/16', gateway: '172.17.0.1' }] },
  pools: [
    { family: 4, subnet: '172.17.0.0/16', gateway: '172.17.0.1', auxiliary: {} },
    { family: 6, subnet: 'fd00::/64', gateway: 'fd00::1', auxiliary: {} },
  ],
  predefined: true,
};

const NEVER = '0001-01-01T00:00:00Z';
const state: ContainerState = {
  status: 'running',
  pid: 42,
  exitCode: 0,
  error: '',
  oomKilled: false,
  startedAt: '2026-01-02T03:04:05.000000000Z',
  finishedAt: NEVER,
};
const settings = { linkLocal: [], mac: '', aliases: ['db'], links: [], driverOptions: {}, gwPriority: 0 };
const { request } = readCreate(
  { Image: 'busybox', Cmd: ['sh', '-c', 'echo a b'], HostConfig: { Links: ['web:w'] } },
  { name: 'c', platform: '', minor: 50 },
);
const container: Container = {
  id: freshId<ContainerId>(),
  name: 'box',
  createdAt: '2026-01-02T03:04:00.000000000Z',
  imageId: IMAGE.id,
  imageName: 'busybox',
  config: { ...request.config, Hostname: 'h' },
  hostConfig: request.hostConfig,
  networks: [{ networkId: network.id, name: 'bridge', settings }],
  mounts: [],
  args: ['sh', '-c', 'echo a b'],
  state,
  restartCount: 0,
  stoppedByUser: false,
  sandboxId: null,
  endpointIds: [],
};
const endpoint: Endpoint = {
  id: freshId<EndpointId>(),
  networkId: network.id,
  sandboxId: freshId<SandboxId>(),
  containerId: container.id,
  containerName: 'box',
  ifname: 'eth0',
  hostIfname: 'veth1',
  mac: '02:42:ac:11:00:02',
  ipv4: '172.17.0.2/16',
  ipv6: 'fd00::2/64',
  linkLocal: [],
  dnsNames: ['box'],
  aliases: [],
  driverOptions: {},
  gwPriority: 0,
  exposed: [
    { protocol: 'tcp', port: 80 },
    { protocol: 'tcp', port: 90 },
  ],
  bindings: [
    { protocol: 'tcp', hostIp: '0.0.0.0', hostPort: 8080, containerPort: 80, count: 1 },
    { protocol: 'tcp', hostIp: '::', hostPort: 8080, containerPort: 80, count: 1 },
    { protocol: 'udp', hostIp: '0.0.0.0', hostPort: 5000, containerPort: 6000, count: 2 },
  ],
  linkedTo: [],
};
const attachment = { networkId: network.id, name: 'bridge', settings, endpoint, network };
const view = {
  container,
  attachments: [attachment],
  endpoints: [endpoint],
  paths: { hosts: '/h', resolvConf: '/r', hostname: '/n', log: '/l' },
  execIds: [],
  runtime: 'crun',
  nameOf: (reference: string) => `real-${reference}`,
};

describe('a container', () => {
  it('shows addresses at both places clients look, at every version', () => {
    for (const minor of [24, 41, 52]) {
      expect(presentInspect(view, minor)).toMatchObject({
        Name: '/box',
        Path: 'sh',
        Args: ['-c', 'echo a b'],
        State: { Status: 'running', Running: true, Pid: 42 },
        NetworkSettings: {
          IPAddress: '172.17.0.2',
          IPPrefixLen: 16,
          Gateway: '172.17.0.1',
          MacAddress: '02:42:ac:11:00:02',
          GlobalIPv6Address: 'fd00::2',
          IPv6Gateway: 'fd00::1',
          Networks: {
            bridge: {
              IPAddress: '172.17.0.2',
              Gateway: '172.17.0.1',
              Aliases: ['db'],
              NetworkID: network.id,
            },
          },
        },
      });
    }
  });

  it('shows nothing but the settings of a network while it does not run', () => {
    const { endpoint: _, ...stopped } = attachment;
    expect(presentInspect({ ...view, attachments: [stopped], endpoints: [] }, 50)).toMatchObject({
      NetworkSettings: {
        IPAddress: '',
        Ports: {},
        Networks: { bridge: { IPAddress: '', EndpointID: '', Gateway: '', NetworkID: network.id } },
      },
    });
  });

  it('shows no gateway on an internal network and old aliases to old clients', () => {
    const inner = { ...attachment, name: 'inner', network: { ...network, name: 'inner', internal: true } };
    const networks = (minor: number) =>
      presentInspect({ ...view, attachments: [inner] }, minor).NetworkSettings;
    expect(networks(50)).toMatchObject({
      Networks: { inner: { Gateway: '', Aliases: ['db'] } },
      IPAddress: '',
    });
    expect(networks(44)).toMatchObject({
      Networks: { inner: { Aliases: ['db', container.id.slice(0, 12), 'h'] } },
    });
  });

  it('fills HostConfig with the defaults that took effect, and spells links as Docker does', () => {
    expect(presentInspect(view, 50).HostConfig).toMatchObject({
      NetworkMode: 'bridge',
      RestartPolicy: { Name: 'no', MaximumRetryCount: 0 },
      IpcMode: 'private',
      CgroupnsMode: 'private',
      ShmSize: 67_108_864,
      Runtime: 'crun',
      LogConfig: { Type: 'json-file', Config: {} },
      Links: ['/real-web:/box/w'],
      Dns: [],
      PidsLimit: null,
    });
  });

  it('expands ranges of ports', () => {
    expect(presentPortMap([endpoint])).toEqual({
      '80/tcp': [
        { HostIp: '0.0.0.0', HostPort: '8080' },
        { HostIp: '::', HostPort: '8080' },
      ],
      '90/tcp': null,
      '6000/udp': [{ HostIp: '0.0.0.0', HostPort: '5000' }],
      '6001/udp': [{ HostIp: '0.0.0.0', HostPort: '5001' }],
    });
    expect(presentPortSummaries([endpoint])).toContainEqual({ PrivatePort: 90, Type: 'tcp' });
    expect(presentPortSummaries([endpoint])).toHaveLength(5);
  });

  it('M19: shows a port that a routed network opens without a host port, behind those that are translated', () => {
    const open = { protocol: 'tcp' as const, hostIp: '::', hostPort: 0, containerPort: 80, count: 2 };
    const [first] = endpoint.bindings;
    const routed = { ...endpoint, exposed: [], bindings: first ? [{ ...first, count: 1 }, open] : [] };
    expect(presentPortMap([routed])).toEqual({
      '80/tcp': [
        { HostIp: '0.0.0.0', HostPort: '8080' },
        { HostIp: '::', HostPort: '' },
      ],
      '81/tcp': [{ HostIp: '::', HostPort: '' }],
    });
    expect(presentPortSummaries([routed])).toEqual([
      { IP: '0.0.0.0', PrivatePort: 80, PublicPort: 8080, Type: 'tcp' },
    ]);
  });

  it('I12: is the same line in the next list, and another one when anything that it says has changed', () => {
    let edition = 1;
    let now = { container, endpoints: [endpoint], network };
    const engine = {
      containers: { endpoints: () => now.endpoints, sandbox: () => undefined },
      networks: { find: () => now.network },
    } as unknown as Engine; // what a row is made of
    const shown = { image: 'busybox', linkNames: [], now: Date.parse('2026-01-02T03:07:10Z'), minor: 47 };
    const row = (change: Partial<Shown> = {}): string =>
      summaryJson(engine, now.container, { ...shown, edition, ...change })
        .toString()
        .slice(1);
    const first = row();
    expect(JSON.parse(first)).toMatchObject({ Names: ['/box'], Status: 'Up 3 minutes' });
    expect(row({ now: shown.now + 1_000 })).toBe(first);
    const told = new Set([
      first,
      row({ image: 'another' }),
      row({ linkNames: ['web/db'] }),
      row({ minor: 52 }),
    ]);
    told.add(row({ now: shown.now + 60_000 }));
    now = { ...now, endpoints: [{ ...endpoint, bindings: [] }] };
    expect(told).toContain(row()); // who changes a record makes another edition
    edition += 1;
    told.add(row());
    edition += 1;
    now = { ...now, network: { ...network, id: freshId<NetworkId>() } };
    told.add(row());
    now = { ...now, container: { ...container, name: 'renamed' } };
    told.add(row());
    expect(told.size).toBe(8);
  });

  it('is one line in a list', () => {
    expect(presentSummary(view, 'busybox', Date.parse('2026-01-02T03:07:10Z'), 52)).toMatchObject({
      Names: ['/box'],
      Command: "sh -c 'echo a b'",
      Created: Date.parse('2026-01-02T03:04:00Z') / 1000,
      State: 'running',
      Status: 'Up 3 minutes',
      Health: { Status: 'none' },
    });
  });

  it.each([
    [{}, 'Up 2 minutes'],
    [{ health: { status: 'starting', failingStreak: 0, log: [] } }, 'Up 2 minutes (health: starting)'],
    [{ status: 'paused' }, 'Up 2 minutes (Paused)'],
    [{ status: 'created' }, 'Created'],
    [{ status: 'exited', exitCode: 3, finishedAt: '2026-01-02T03:05:05Z' }, 'Exited (3) About a minute ago'],
    [{ status: 'removing' }, 'Removal In Progress'],
    [{ status: 'dead' }, 'Dead'],
  ] as const)('%j is told as %s', (change, words) => {
    expect(presentStatus({ ...state, ...change }, Date.parse('2026-01-02T03:06:10Z'))).toBe(words);
  });
});

it('tells spans of time as Docker does', () => {
  const hour = 3_600_000;
  expect(
    [
      0,
      1000,
      59_000,
      60_000,
      45 * 60_000,
      hour,
      30 * hour,
      49 * hour,
      20 * 24 * hour,
      100 * 24 * hour,
      800 * 24 * hour,
    ].map(humanDuration),
  ).toEqual([
    'Less than a second',
    '1 second',
    '59 seconds',
    'About a minute',
    '45 minutes',
    'About an hour',
    '30 hours',
    '2 days',
    '2 weeks',
    '3 months',
    '2 years',
  ]);
});

it('shows a network with its containers', () => {
  expect(presentNetworkInspect(network, [endpoint])).toMatchObject({
    Name: 'bridge',
    IPAM: { Driver: 'default', Options: null, Config: [{ Subnet: '172.17.0.0/16', Gateway: '172.17.0.1' }] },
    Containers: {
      [container.id]: {
        Name: 'box',
        EndpointID: endpoint.id,
        IPv4Address: '172.17.0.2/16',
        IPv6Address: 'fd00::2/64',
      },
    },
  });
});

it('S6: shows services on a network with their tasks, on this host and on others', () => {
  const task = (slot: string): string => `web.${slot}.${'t'.repeat(24)}${slot}`;
  const at = (id: string, ipv4: string, containerName: string) => ({ ...endpoint, id, ipv4, containerName });
  const balancer = {
    ...{ id: 'n/s', networkId: network.id, serviceId: 's', names: ['web', 'alias'], vip4: '10.0.1.2' },
    backends: [{ id: 't1', node: 'n2', ipv4: '10.0.1.3' }],
    ports: [{ protocol: 'tcp', publishedPort: 8080, targetPort: 80 }],
  } as const;
  const local = [at('e2', '10.0.1.4/24', task('2')), at('e3', '10.0.1.5/24', 'web.1')] as Endpoint[];
  const peer = { endpoints: [at('e1', '10.0.1.3/24', task('1'))], address: '192.0.2.2' } as unknown as Peer;
  const shown = presentNetworkServices([balancer], local, [peer], '192.0.2.1');
  expect(shown).toEqual({
    web: {
      ...{ VIP: '10.0.1.2', Ports: ['Target: 80, Publish: 8080'], LocalLBIndex: 0 },
      Tasks: [
        { Name: task('2'), EndpointID: 'e2', EndpointIP: '10.0.1.4', Info: { 'Host IP': '192.0.2.1' } },
        { Name: task('1'), EndpointID: 'e1', EndpointIP: '10.0.1.3', Info: { 'Host IP': '192.0.2.2' } },
      ],
    },
    '': {
      ...{ VIP: '<nil>', Ports: [], LocalLBIndex: 0 },
      Tasks: [{ Name: 'web.1', EndpointID: 'e3', EndpointIP: '10.0.1.5', Info: { 'Host IP': '192.0.2.1' } }],
    },
  });
  const onIngress = { ...balancer, names: [] };
  expect(Object.keys(presentNetworkServices([onIngress], [], [peer], ''))).toEqual(['web']);
});

it('M17: shows how many addresses are in use, in numbers as wide as Docker’s', () => {
  const counts = new Map([
    ['10.0.0.0/24', { inUse: 3n, available: 253n }],
    ['fd00::/56', { inUse: 2n, available: 2n ** 72n - 2n }],
  ]);
  expect(wideJson({ Status: presentNetworkInspect(network, [], [], counts).Status })).toBe(
    '{"Status":{"IPAM":{"Subnets":{"10.0.0.0/24":{"IPsInUse":3,"DynamicIPsAvailable":253},' +
      '"fd00::/56":{"IPsInUse":2,"DynamicIPsAvailable":18446744073709551615}}}}}',
  );
});

it('refuses, when compiled, fields that are missing, misspelt or of another type', () => {
  const shown = presentState(state);
  const { Pid: _, ...lacking } = shown;
  // @ts-expect-error a field is missing
  const missing: Answer<'ContainerState'> = lacking;
  // @ts-expect-error a field is misspelt
  const misspelt: Answer<'ContainerState'> = { ...shown, ExitedAt: shown.FinishedAt };
  // @ts-expect-error a field's type is another
  const typed: Answer<'ContainerState'> = { ...shown, ExitCode: '0' };
  // @ts-expect-error below a list of others
  const nested: Answer<'ContainerInspectResponse'>['Mounts'] = [{ Type: 'bind' }];
  expect([missing, misspelt, typed, nested]).toHaveLength(4);
});

it('C30: tells options that nobody gave from those that are empty', () => {
  const made = { ...network, predefined: false };
  const shown = (options: Readonly<Record<string, string>> | null) =>
    presentNetworkInspect({ ...made, ipam: { ...made.ipam, options } }, []);
  expect(shown(null)).toMatchObject({ IPAM: { Options: null } });
  expect(shown({})).toMatchObject({ IPAM: { Options: {} } });
});

it('shows images by version, always with what docker-compose 1.29 reads', () => {
  expect(presentImageInspect(IMAGE, 41)).toMatchObject({
    VirtualSize: IMAGE.size,
    ContainerConfig: { Volumes: null },
  });
  expect(presentImageInspect(IMAGE, 52)).toMatchObject({ ContainerConfig: { Volumes: null } });
  expect(JSON.stringify(presentImageInspect(IMAGE, 52))).not.toContain('VirtualSize');
  const unnamed = { ...IMAGE, tags: [] };
  expect(presentImageSummary(unnamed, 2, 42)).toMatchObject({ RepoTags: ['<none>:<none>'], Containers: -1 });
  expect(presentImageSummary(unnamed, 2, 52)).toMatchObject({ RepoTags: [], Containers: 2 });
  expect(presentHistory(IMAGE)).toMatchObject([{ Id: IMAGE.id, Tags: ['busybox:latest'] }]);
});

it('repeats an event in old fields, which docker-compose 1.29 needs at every version', () => {
  const event = {
    type: 'container',
    action: 'start',
    actor: { id: 'x', attributes: { image: 'busybox' } },
    timeNano: 1_700_000_000_123_456_789n,
  } as const;
  expect(presentEvent(event)).toBe(
    '{"status":"start","id":"x","from":"busybox","Type":"container","Action":"start","Actor":{"ID":"x","Attributes":{"image":"busybox"}},"scope":"local","time":1700000000,"timeNano":1700000000123456789}\n',
  );
});

it('frames bytes and writes times of one width', () => {
  expect([...frame(2, Buffer.from('ab'))]).toEqual([2, 0, 0, 0, 0, 0, 0, 2, 97, 98]);
  expect(fixedNanoseconds('2026-01-02T03:04:05Z')).toBe('2026-01-02T03:04:05.000000000Z');
  expect(fixedNanoseconds('2026-01-02T03:04:05.123+01:00')).toBe('2026-01-02T03:04:05.123000000+01:00');
});

describe('what --details shows of a log’s lines', () => {
  const logged = {
    labels: { tier: 'front end', other: 'x' },
    env: ['A=1', 'PATH=/bin', 'B_1=2', 'bare'],
  };
  it.each([
    [{}, ''],
    [{ labels: 'tier,none', env: 'A' }, 'A=1,tier=front+end'],
    [{ 'env-regex': '^(A|B_.)$', 'labels-regex': 'oth' }, 'A=1,B_1=2,other=x'],
    [{ 'env-regex': '(' }, ''],
  ])('%o', (options, shown) => {
    expect(logAttributes({ ...logged, options })).toBe(shown);
  });
  it('and whose it is, in the order of texts', () => {
    expect(logAttributes({ ...logged, options: { labels: 'tier' } }, { 'a.b': 'c,d' })).toBe(
      'a.b=c%2Cd,tier=front+end',
    );
  });
});
