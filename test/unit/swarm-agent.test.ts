/** S3, S6, S11: what a node makes of what it is told: records of this host, and the requests for its tasks' containers. */
import { describe, expect, test } from 'vitest';
import { bodyOf, filled, graceOf, type TaskItem } from '../../src/cluster/agent/container.js';
import { answering, changed, type Seen, whole } from '../../src/cluster/agent/others.js';
import { type AssignedItem, itemKey } from '../../src/cluster/session/assigned.js';

const NET: AssignedItem = {
  kind: 'network',
  ...{ id: 'net', ingress: false, vni: 4096, updatedAt: 0 },
  network: {
    ...{ id: 'net', name: 'net', driver: 'overlay', scope: 'swarm', createdAt: '' },
    ...{ ipv4: true, ipv6: false, internal: false, attachable: false, configOnly: false, configFrom: '' },
    ...{ options: {}, labels: {}, ipam: { driver: 'default', options: null, config: [] }, predefined: false },
    pools: [{ family: 4, subnet: '10.0.1.0/24', gateway: '10.0.1.1', auxiliary: {} }],
    overlay: { vni: 4096, port: 4789, mtu: 1450 },
  },
};
/** A public key of 32 bytes. */
const KEY = (n: number): string => Buffer.alloc(32, n).toString('base64');
const node = (id: string, n: number): AssignedItem => ({
  kind: 'node',
  ...{ id, hostname: id, number: n, dataAddress: `192.0.2.${n}` },
  tunnel: { key: KEY(n), port: 51_820 },
});
const BALANCER: AssignedItem = {
  kind: 'balancer',
  ...{ networkId: 'net', serviceId: 's', names: ['web'], vip4: '10.0.1.2', ports: [] },
  backends: [
    { id: 't1', node: 'n1', ipv4: '10.0.1.3' },
    { id: 't2', node: 'n2', ipv4: '10.0.1.4' },
    { id: 't3', node: 'n2', ipv4: '10.9.9.9' },
  ],
};
const seen = (...failed: string[]): Seen => ({
  items: new Map([NET, node('n1', 1), node('n2', 2), BALANCER].map((item) => [itemKey(item), item])),
  self: 'n1',
  tunnel: { key: KEY(1), port: 51_820 },
  failed: new Set(failed),
});
const backends = (change: ReturnType<typeof whole>): readonly string[] | undefined =>
  change.balancers.get('net/s')?.backends.map(({ id }) => id);
const nothing = { networks: () => [], peers: () => [], balancers: () => [], vteps: () => [] };

describe('S6 S11: who takes connections of a service', () => {
  test('is who has an address of the network’s', () => {
    expect(backends(whole(seen(), nothing))).toEqual(['t1', 't2']);
  });
  test('at addresses and ports that there can be', () => {
    const told = (of: Partial<typeof BALANCER>): Seen => ({
      ...seen(),
      items: new Map([...seen().items, ['balancer/net/s', { ...BALANCER, ...of } as AssignedItem]]),
    });
    const ports = [0, 80, 65_536].map((n) => ({
      protocol: 'tcp' as const,
      publishedPort: n,
      targetPort: 80,
    }));
    expect(whole(told({ ports } as never), nothing).balancers.get('net/s')?.ports).toEqual([ports[1]]);
    expect(whole(told({ vip4: '192.0.2.1' } as never), nothing).balancers.get('net/s')).toBeNull();
  });
  test('is nobody on a node that does not answer, whatever a manager said', () => {
    expect(backends(answering(seen('n2')))).toEqual(['t1']);
    expect(backends(whole(seen('n2'), nothing))).toEqual(['t1']);
    expect(backends(changed(seen('n2'), ['balancer/net/s']))).toEqual(['t1']);
  });
  test('is everybody where nobody answers: it may be that only we do not hear them', () => {
    expect(backends(answering(seen('n1', 'n2')))).toEqual(['t1', 't2']);
  });
  test('is all that changes then', () => {
    const { networks, peers, vteps } = answering(seen('n2'));
    expect([networks.size, peers.size, vteps.size]).toEqual([0, 0, 0]);
  });
});

const aTask = (container: object = {}, changes: Partial<TaskItem> = {}): TaskItem => ({
  kind: 'task',
  ...{
    id: 'abc',
    serviceId: 'sid',
    spec: 1,
    slot: 2,
    nodeId: 'n1',
    desired: 'running',
    delay: 0,
    createdAt: 0,
  },
  networks: [],
  status: { state: 'assigned', message: '', err: '', at: 0 },
  service: { name: 'web', labels: { tier: 'front' } },
  made: { container: { Image: 'i', ...container }, secrets: [], configs: [], networks: [], forceUpdate: 0 },
  ports: [],
  ...changes,
});
const here = { nodeId: 'n1', hostname: 'host1', architecture: 'x86_64', os: 'linux' };
const body = (container: object = {}, changes: Partial<TaskItem> = {}) =>
  bodyOf(filled(aTask(container, changes), here).task, here, []);
const on = (...targets: string[]) => ({
  ...aTask().made,
  networks: targets.map((target) => ({ target, aliases: ['www'], options: {} })),
});

describe('S3: the request for a task’s container', () => {
  test('has names, labels, and templates filled in', () => {
    const Mounts = [{ Type: 'volume', Source: 'data-{{.Task.Slot}}', Target: '/{{ .Service.Name }}' }];
    const Env = ['A={{.Task.Name}}', 'B={{index .Service.Labels "tier"}}', 'C={{.Node.Hostname}}'];
    expect(body({ Env, Mounts, Hostname: '{{.Node.ID}}-{{.Task.ID}}', Labels: { own: '1' } })).toMatchObject({
      Hostname: 'n1-abc',
      Env: ['A=web.2.abc', 'B=front', 'C=host1'],
      Labels: {
        own: '1',
        'com.docker.swarm.node.id': 'n1',
        'com.docker.swarm.service.id': 'sid',
        'com.docker.swarm.service.name': 'web',
        'com.docker.swarm.task': '',
        'com.docker.swarm.task.id': 'abc',
        'com.docker.swarm.task.name': 'web.2.abc',
      },
      HostConfig: { Mounts: [{ Source: 'data-2', Target: '/web' }] },
    });
  });
  test('has the addresses that came with the task, and the host’s own networks by name', () => {
    const networks = [{ networkId: 'net', addresses: ['10.0.1.7/24', 'fd00::7/64'] }];
    expect(body({}, { networks, made: on('net') })).toMatchObject({
      HostConfig: { NetworkMode: 'net' },
      NetworkingConfig: {
        EndpointsConfig: { net: { IPAMConfig: { IPv4Address: '10.0.1.7', IPv6Address: 'fd00::7' } } },
      },
    });
    expect(JSON.stringify(body({}, { networks, made: on('net') }))).not.toContain('www');
    expect(body({}, { made: on('host') })).toMatchObject({ HostConfig: { NetworkMode: 'host' } });
    expect(body()).toMatchObject({ HostConfig: { NetworkMode: 'bridge' } });
    expect(() => body({}, { networks, made: on('net', 'host') })).toThrow(
      "a task on its node's own network host can be on no other network",
    );
  });
  test('publishes ports of the node, and not those of the mesh', () => {
    const port = { name: '', protocol: 'tcp' as const, targetPort: 80 };
    const ports = [
      { ...port, publishedPort: 8080, mode: 'host' as const },
      { ...port, publishedPort: 0, mode: 'host' as const },
      { ...port, publishedPort: 9090, mode: 'ingress' as const },
    ];
    expect(body({}, { ports })).toMatchObject({
      HostConfig: { PortBindings: { '80/tcp': [{ HostPort: '8080' }, { HostPort: '' }] } },
    });
  });
  test('refuses in words what no node has', () => {
    expect(() => body({ Env: ['A={{.Node.Nope}}'] })).toThrow(
      'expanding env "A={{.Node.Nope}}" failed: template: line 1: can\'t evaluate field Nope',
    );
    expect(() => body({ Isolation: 'hyperv' })).toThrow('isolation hyperv is for Windows containers');
    expect(() => body({ Privileges: { Seccomp: { Mode: 'custom' } } })).toThrow('custom seccomp');
  });
  test('gives it the time to end that its service says, Docker’s ten seconds else', () => {
    expect(graceOf(aTask())).toBe(10);
    expect(graceOf(aTask({ StopGracePeriod: 2_500_000_000 }))).toBe(2.5);
    expect(body({ StopGracePeriod: 2_500_000_000 })).toMatchObject({ StopTimeout: 3 });
  });
});
