/** D8, S2: networks of a swarm, on two hosts, with the real client. */
import { spawnSync } from 'node:child_process';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Lab, type LabHost, startLab } from '../support/lab.js';
import { until } from '../support/run.js';

let lab: Lab;

/** test/vm/encrypted.test.ts has a kernel with it. */
const HAS_WIREGUARD =
  spawnSync('unshare', ['-n', 'ip', 'link', 'add', 'probe', 'type', 'wireguard']).status === 0;

beforeAll(async () => {
  lab = await startLab(2, { images: ['alpine'] });
  const [a, b] = [lab.host(1), lab.host(2)];
  await a.docker('swarm', 'init');
  const token = await a.docker('swarm', 'join-token', '-q', 'worker');
  await b.docker('swarm', 'join', '--token', token, a.ipv4);
}, 120_000);
afterAll(() => lab.stop(), 60_000);

describe('S2 D8: a network of a swarm', () => {
  test('ingress is there from the beginning, with Docker’s subnet, and docker_gwbridge on each node', async () => {
    const { docker } = lab.host(1);
    for (const host of lab.hosts)
      await until('it has docker_gwbridge', async () =>
        (await host.docker('network', 'ls', '--format', '{{.Name}}')).split('\n').includes('docker_gwbridge'),
      );
    const format = '{{.Scope}} {{.Driver}} {{.Ingress}} {{(index .IPAM.Config 0).Subnet}}';
    expect(await docker('network', 'inspect', '-f', format, 'ingress')).toBe(
      'swarm overlay true 10.0.0.0/24',
    );
    expect(await docker('network', 'ls', '--format', '{{.Name}} {{.Scope}}')).toContain('ingress swarm');
  });

  test('N2: each is found in its scope; a node’s own ones that services can use also in the swarm’s, by managers', async () => {
    const [a, b] = [lab.host(1), lab.host(2)];
    const codes = (host: LabHost, scope: string): Promise<readonly number[]> =>
      Promise.all(
        ['ingress', 'host', 'bridge', 'none'].map(
          async (name) => (await host.api('GET', `/networks/${name}?scope=${scope}`)).status,
        ),
      );
    expect([await codes(a, 'swarm'), await codes(a, 'local')]).toEqual([
      [200, 200, 200, 404],
      [404, 200, 200, 200],
    ]);
    expect(await codes(b, 'swarm')).toEqual([200, 404, 404, 404]);
    // By its id a manager finds it in any scope.
    const id = await a.docker('network', 'inspect', '-f', '{{.Id}}', 'ingress');
    for (const [host, status] of [
      [a, 200],
      [b, 404],
    ] as const)
      expect((await host.api('GET', `/networks/${id.slice(0, 12)}?scope=local`)).status).toBe(status);
  });
  test('is made, shown and removed by a manager, and by a worker not', async () => {
    const [a, b] = [lab.host(1), lab.host(2)];
    const id = await a.docker('network', 'create', '-d', 'overlay', '--label', 'a=b', 'net');
    expect(await a.docker('network', 'ls', '-q', '--no-trunc', '--filter', 'name=net')).toBe(id);
    const format = '{{.Id}} {{.Scope}} {{.Attachable}} {{(index .IPAM.Config 0).Subnet}} {{.Labels.a}}';
    expect(await a.docker('network', 'inspect', '-f', format, 'net')).toBe(`${id} swarm false 10.0.1.0/24 b`);
    const twice = await a.docker.try(['network', 'create', '-d', 'overlay', 'net']);
    expect(twice.stderr).toContain('network with name net already exists');
    const local = await a.docker.try(['network', 'create', 'net']);
    expect(local.stderr).toContain('network with name net already exists');
    const onWorker = await b.docker.try(['network', 'create', '-d', 'overlay', 'other']);
    expect(onWorker.stderr).toContain(
      'Cannot create a multi-host network from a worker node. Please create the network from a manager node.',
    );
    const overlapping = await a.docker.try([
      'network',
      'create',
      '-d',
      'overlay',
      '--subnet',
      '10.0.1.0/25',
      'x',
    ]);
    expect(overlapping.stderr).toContain('Pool overlaps with other one on this address space');
    expect(await a.docker('network', 'rm', 'net')).toBe('net');
    expect((await a.docker.try(['network', 'inspect', 'net'])).stderr).toContain('network net not found');
    for (let n = 1; n <= 12; n += 1) await a.docker('network', 'create', '-d', 'overlay', `unused${n}`);
    expect((await a.docker('network', 'prune', '-f')).match(/unused/g)).toHaveLength(12);
    expect(await a.docker('network', 'ls', '--format', '{{.Name}}', '--filter', 'scope=swarm')).toBe(
      'ingress',
    );
  });
});

const sleeper = ({ docker }: LabHost, name: string, ...flags: string[]): Promise<string> =>
  docker('run', '-d', '--name', name, '--stop-timeout', '0', ...flags, 'alpine', 'sleep', '600');
const pings = (host: LabHost, from: string, to: string, ...more: string[]): Promise<unknown> =>
  until(
    `${from} reaches ${to}`,
    async () => (await host.docker.try(['exec', from, 'ping', ...more, '-c', '1', '-W', '1', to])).code === 0,
  );
const addressOf = ({ docker }: LabHost, container: string, network: string): Promise<string> =>
  docker('inspect', '-f', `{{(index .NetworkSettings.Networks "${network}").IPAddress}}`, container);
const namesOn = async ({ docker }: LabHost): Promise<readonly string[]> =>
  (await docker('network', 'ls', '--format', '{{.Name}}', '--filter', 'driver=overlay')).split('\n').sort();

describe('D8: containers on an attachable network', () => {
  afterEach(async () => {
    for (const { docker } of lab.hosts) {
      const names = (await docker('ps', '-aq')).split('\n').filter((line) => line !== '');
      if (names.length > 0) await docker('rm', '-f', ...names);
    }
    await lab.host(1).docker('network', 'prune', '-f');
  });

  test.skipIf(HAS_WIREGUARD)(
    'D8 S2: a node without WireGuard refuses containers and tasks of encrypted networks in words, and nothing is left',
    async () => {
      const { docker, host } = lab.host(1);
      const words = 'its kernel has no WireGuard: load the module (modprobe wireguard)';
      await docker('network', 'create', '-d', 'overlay', '--attachable', '--opt', 'encrypted', 'vault');
      const links = await host('ip -br link');
      const refused = await docker.try(['run', '--rm', '--network', 'vault', 'alpine', 'true']);
      expect(refused.stderr).toContain(words);
      await docker('service', 'create', '-d', '--name', 's', '--network', 'vault', 'alpine', 'sleep', '600');
      await until('the task is refused', async () =>
        (await docker('service', 'ps', '--no-trunc', '--format', '{{.Error}}', 's')).includes(words),
      );
      await docker('service', 'rm', 's');
      await until('nothing is left', async () => (await host('ip -br link')) === links);
      await until('no task is on it', async () => (await docker.try(['network', 'rm', 'vault'])).code === 0);
    },
  );

  test('of both hosts reach each other by name, IPv4 and IPv6; the network comes to a worker with its first container', async () => {
    const [a, b] = [lab.host(1), lab.host(2)];
    const flags = ['--attachable', '--ipv6', '--subnet', '10.66.0.0/24', '--subnet', 'fd66::/64'];
    const id = await a.docker('network', 'create', '-d', 'overlay', ...flags, 'net');
    expect(await namesOn(a)).toEqual(['ingress', 'net']);
    expect(await namesOn(b)).toEqual(['ingress']);
    await sleeper(b, 'two', '--network', 'net', '--network-alias', 'second');
    await sleeper(a, 'one', '--network', 'net');
    expect(await namesOn(b)).toEqual(['ingress', 'net']);
    expect(await b.docker('network', 'inspect', '-f', '{{.Id}} {{.Scope}}', 'net')).toBe(`${id} swarm`);
    await pings(a, 'one', 'two');
    await pings(b, 'two', 'one');
    await pings(a, 'one', 'second', '-6');
    await pings(b, 'two', 'one', '-6');
    await a.docker('exec', 'one', 'ping', '-c', '1', '-W', '2', '-s', '1422', 'two');
    const taken = await addressOf(a, 'one', 'net');
    const wished = await b.docker.try(['run', '--rm', '--network', 'net', '--ip', taken, 'alpine', 'true']);
    expect(wished.stderr).toContain(`Address already in use: ${taken}`);
    const [onA, onB] = await Promise.all(
      [a, b].map(({ docker }) =>
        docker('network', 'inspect', '-f', '{{len .Containers}} {{json .Peers}}', 'net'),
      ),
    );
    expect(onA).toMatch(
      /^1 \[.*"IP":"192\.0\.2\.1".*"IP":"192\.0\.2\.2"|^1 \[.*"IP":"192\.0\.2\.2".*"IP":"192\.0\.2\.1"/,
    );
    expect(onB).toMatch(/^1 \[/);
    expect((await a.docker.try(['network', 'rm', 'net'])).stderr).toContain('is in use by task');
    await b.docker('rm', '-f', 'two');
    await a.docker('rm', '-f', 'one');
    await a.docker('network', 'rm', 'net');
    await until('it is gone from the worker', async () => !(await namesOn(b)).includes('net'));
  });

  test('are connected while they run, and keep all through restarts of both daemons', async () => {
    const [a, b] = [lab.host(1), lab.host(2)];
    await a.docker('network', 'create', '-d', 'overlay', '--attachable', 'net');
    await sleeper(a, 'one', '--network', 'net');
    await sleeper(b, 'two');
    await b.docker('network', 'connect', 'net', 'two');
    await pings(b, 'two', 'one');
    const before = await addressOf(b, 'two', 'net');
    await b.restart();
    await pings(b, 'two', 'one');
    await a.restart();
    await pings(a, 'one', 'two');
    expect(await addressOf(b, 'two', 'net')).toBe(before);
    await b.docker('rename', 'two', 'three');
    await pings(a, 'one', 'three');
    await b.docker('network', 'disconnect', 'net', 'three');
    await until(
      'one does not know it any more',
      async () => (await a.docker.try(['exec', 'one', 'nslookup', 'three'])).code !== 0,
    );
    await sleeper(b, 'four', '--network', 'net');
    expect(await addressOf(b, 'four', 'net')).toBe(before);
  });

  test('are refused where the network is not attachable, not there, or its manager is away', async () => {
    const [a, b] = [lab.host(1), lab.host(2)];
    await a.docker('network', 'create', '-d', 'overlay', 'closed');
    await a.docker('network', 'create', '-d', 'overlay', '--attachable', 'open');
    const run = (host: LabHost, network: string) =>
      host.docker.try(['run', '--rm', '--network', network, 'alpine', 'true']);
    for (const host of [a, b]) {
      expect((await run(host, 'closed')).stderr).toContain('network closed not manually attachable');
      expect((await run(host, 'ingress')).stderr).toContain('not manually attachable');
      expect((await run(host, 'absent')).stderr).toContain('network absent not found');
    }
    await sleeper(b, 'keeper', '--network', 'open');
    await b.unplug();
    await until(
      'the worker notices',
      async () => (await run(b, 'open')).stderr.includes('no manager of the swarm can be reached'),
      40_000,
    );
    expect((await b.docker.try(['exec', 'keeper', 'true'])).code).toBe(0);
    await b.plugIn();
    await until('it is there again', async () => (await run(b, 'open')).code === 0, 30_000);
  });
});

describe('D8 S6: beside a service on the same network', () => {
  test('a container of either host reaches it by its address and each of its tasks by name', async () => {
    const [a, b] = [lab.host(1), lab.host(2)];
    await a.docker('network', 'create', '-d', 'overlay', '--attachable', 'net');
    const service = [
      '--replicas',
      '2',
      '--stop-grace-period',
      '1s',
      '--replicas-max-per-node',
      '1',
      '--network',
      'net',
      '--name',
      'web',
    ];
    await a.docker('service', 'create', '-q', ...service, 'alpine', 'sleep', '600');
    await sleeper(a, 'one', '--network', 'net');
    await sleeper(b, 'two', '--network', 'net');
    const tasks = ['--no-trunc', '--format', '{{.Name}}.{{.ID}}', 'web'];
    const names = (await a.docker('service', 'ps', ...tasks)).split('\n');
    expect(names).toHaveLength(2);
    const format = '{{(index .Endpoint.VirtualIPs 0).Addr}}';
    const vip = (await a.docker('service', 'inspect', '-f', format, 'web')).replace('/24', '');
    for (const target of [vip, ...names]) {
      await pings(a, 'one', target);
      await pings(b, 'two', target);
    }
    expect((await a.docker.try(['network', 'rm', 'net'])).stderr).toContain('is in use by service');
    await a.docker('service', 'rm', 'web');
    const gone = async (name: string) => (await b.docker.try(['exec', 'two', 'nslookup', name])).code !== 0;
    for (const name of names) await until(`${name} is gone`, () => gone(name));
    await a.docker('rm', '-f', 'one');
    await b.docker('rm', '-f', 'two');
    const removed = async () => (await a.docker.try(['network', 'rm', 'net'])).code === 0;
    await until('nobody is on the network', removed);
    await until('it is gone from the worker', async () => !(await namesOn(b)).includes('net'));
  });
});

describe('S2 D8: a node that leaves', () => {
  test('takes its containers off the swarm’s networks, which go with it; the others learn of it', async () => {
    const [a, b] = [lab.host(1), lab.host(2)];
    await a.docker('network', 'create', '-d', 'overlay', '--attachable', 'net');
    await sleeper(a, 'one', '--network', 'net');
    await sleeper(b, 'two', '--network', 'net');
    await pings(a, 'one', 'two');
    await b.docker('swarm', 'leave');
    expect(await namesOn(b)).toEqual(['']);
    expect(
      await b.docker('inspect', '-f', '{{.State.Running}} {{len .NetworkSettings.Networks}}', 'two'),
    ).toBe('true 0');
    expect(await b.host('ip -br link')).not.toMatch(/vx-|vxlan/);
    await until(
      'it is known no more',
      async () => (await a.docker.try(['exec', 'one', 'nslookup', 'two'])).code !== 0,
    );
    const gone = await b.docker.try(['run', '--rm', '--network', 'net', 'alpine', 'true']);
    expect(gone.stderr).toContain('network net not found');
  });
});
