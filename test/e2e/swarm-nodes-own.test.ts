/** What a node of a swarm has of its own: networks that each makes for itself, and its daemon's settings; with the real client. */
import { setTimeout } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Lab, type LabHost, startLab } from '../support/lab.js';
import { until } from '../support/run.js';

let lab: Lab;
let manager: LabHost;
let worker: LabHost;

beforeAll(async () => {
  lab = await startLab(2, { images: ['alpine'], flags: ['--init'] });
  [manager, worker] = [lab.host(1), lab.host(2)];
  await manager.docker('swarm', 'init', '--dispatcher-heartbeat', '1s');
  const token = await manager.docker('swarm', 'join-token', '-q', 'worker');
  await worker.docker('swarm', 'join', '--token', token, manager.ipv4);
}, 120_000);
afterAll(() => lab?.stop(), 60_000);
afterEach(async () => {
  for (const [kind, ...verb] of [
    ['service', 'rm'],
    ['network', 'rm'],
  ] as const) {
    const filter = kind === 'network' ? ['--filter', 'scope=swarm', '--filter', 'name=own'] : [];
    const left = await manager.docker(kind, 'ls', '-q', ...filter);
    if (left !== '') await manager.docker(kind, ...verb, ...left.split('\n'));
  }
  await until(
    'nothing is left on the nodes',
    async () => {
      for (const { docker } of lab.hosts) {
        if ((await docker('ps', '-aq', '--filter', 'label=com.docker.swarm.task.id')) !== '') return false;
        if ((await docker('network', 'ls', '-q', '--filter', 'name=own')) !== '') return false;
      }
      return true;
    },
    20_000,
  );
});

const SLEEP = ['--stop-signal', 'SIGKILL', 'alpine', 'sleep', 'inf'];
const create = (name: string, ...args: string[]): Promise<string> =>
  manager.docker(
    ...['service', 'create', '-d', '--no-resolve-image', '--restart-delay', '0s', '--name', name, ...args],
  );
const taskOf = async ({ docker }: LabHost, name: string): Promise<string> => {
  let id = '';
  await until(
    `${name} runs`,
    async () => {
      id = await docker('ps', '-q', '--filter', `label=com.docker.swarm.service.name=${name}`);
      return id !== '';
    },
    20_000,
  );
  return id;
};
const addressOn = ({ docker }: LabHost, container: string, network: string): Promise<string> =>
  docker('inspect', '-f', `{{(index .NetworkSettings.Networks "${network}").IPAddress}}`, container);

/** Of one name on both nodes; each has a range of its own. */
const configureBoth = async (name: string, ...options: string[]): Promise<void> => {
  for (const [i, { docker }] of lab.hosts.entries())
    await docker(
      ...['network', 'create', '--config-only', '--subnet', '192.0.2.0/24', '--gateway', '192.0.2.254'],
      ...['--ip-range', `192.0.2.${64 * (i + 1)}/28`, ...options, name],
    );
};

describe('D8: a network of a swarm that each node makes for itself', () => {
  test('stands on the physical network by each node’s own configuration, and goes with its last task', async () => {
    await configureBoth('lan', '-o', 'parent=eth0');
    const id = await manager.docker(
      ...[
        'network',
        'create',
        '-d',
        'macvlan',
        '--scope',
        'swarm',
        '--config-from',
        'lan',
        '--attachable',
        'own',
      ],
    );
    const format = '{{.Id}} {{.Scope}} {{.Driver}} {{.ConfigFrom.Network}} {{.Attachable}}';
    expect(await manager.docker('network', 'inspect', '-f', format, 'own')).toBe(
      `${id} swarm macvlan lan true`,
    );
    expect((await worker.docker.try(['network', 'inspect', 'own'])).stderr).toContain(
      'network own not found',
    );

    await create('web', '--mode', 'global', '--network', 'own', ...SLEEP);
    const tasks = [await taskOf(manager, 'web'), await taskOf(worker, 'web')] as const;
    const [here, there] = [
      await addressOn(manager, tasks[0], 'own'),
      await addressOn(worker, tasks[1], 'own'),
    ];
    expect(here).toMatch(/^192\.0\.2\.(6[4-9]|7\d)$/);
    expect(there).toMatch(/^192\.0\.2\.1(2[89]|3\d|4[0-3])$/);
    expect(await worker.docker('network', 'inspect', '-f', format, 'own')).toBe(
      `${id} swarm macvlan lan true`,
    );
    await until('they reach each other', async () => {
      const ping = await manager.docker.try(['exec', tasks[0], 'ping', '-c', '1', '-W', '1', there]);
      return ping.code === 0;
    });
    await manager.docker('service', 'rm', 'web');
    await until(
      'it is gone from the worker',
      async () =>
        /network own not found/.test((await worker.docker.try(['network', 'inspect', 'own'])).stderr),
      20_000,
    );
  });

  test('is a bridge of the node’s own where nothing is said, also for a container that no service made', async () => {
    await manager.docker('network', 'create', '--scope', 'swarm', '--attachable', 'own');
    await worker.docker('run', '-d', '--name', 'guest', '--network', 'own', ...SLEEP);
    expect(await addressOn(worker, 'guest', 'own')).toMatch(/^172\./);
    // A node tells the managers a moment later; until then nobody is in the way of the network's removal.
    await setTimeout(2_000);
    await until('the manager knows that it is used', async () =>
      /network \w+ is in use by task/.test((await manager.docker.try(['network', 'rm', 'own'])).stderr),
    );
    await worker.kill9();
    await worker.start();
    expect(await worker.docker('network', 'inspect', '-f', '{{.Scope}} {{.Driver}}', 'own')).toBe(
      'swarm bridge',
    );
    await worker.docker('rm', '-f', 'guest');
    await until(
      'it can be removed',
      async () => (await manager.docker.try(['network', 'rm', 'own'])).code === 0,
    );
  });

  test('is refused in words where it cannot be: by the manager, or by the node that a task comes to', async () => {
    const refusal = async (...args: string[]): Promise<string> =>
      (await manager.docker.try(['network', 'create', '--scope', 'swarm', ...args, 'own'])).stderr;
    expect(await refusal('-d', 'nobodys')).toContain('nobodys is not built in');
    expect(await refusal('-d', 'host')).toContain('only one instance of "host" network is allowed');
    expect(await refusal('-d', 'bridge', '--ingress')).toContain('those of driver bridge do not');
    expect(await refusal('-d', 'bridge', '--subnet', '10.1.2.3/8')).toContain('it should be 10.0.0.0/8');
    expect(await refusal('--config-from', 'lan', '-o', 'parent=eth0')).toContain(
      'user specified configurations are not supported if the network depends on a configuration network',
    );
    expect(await refusal('-d', 'overlay', '--config-from', 'lan')).toContain(
      'a network that spans nodes is not made from a configuration network',
    );
    const shared = await manager.api('POST', '/networks/create', {
      ...{ Name: 'own', Driver: 'macvlan', Scope: 'swarm', Options: { parent: 'eth0' } },
      IPAM: { Config: [{ Subnet: '192.0.2.0/24' }] },
    });
    expect(shared.json).toMatchObject({
      Warning: expect.stringContaining('each node gives addresses of the subnet by itself'),
    });
    await manager.docker('network', 'rm', 'own');

    await manager.docker('network', 'create', '--scope', 'swarm', '--config-from', 'nowhere', 'own');
    await create('lost', '--network', 'own', '--constraint', 'node.role==worker', ...SLEEP);
    await until(
      'its task is rejected',
      async () =>
        (
          await manager.docker(
            'service',
            'ps',
            '--no-trunc',
            '--format',
            '{{.CurrentState}} {{.Error}}',
            'lost',
          )
        ).includes('configuration network "nowhere" not found'),
      20_000,
    );
    const guest = await manager.docker.try(['run', '--rm', '--network', 'own', 'alpine', 'true']);
    expect(guest.stderr).toContain('not manually attachable');
  });
});

test('S3: a task that does not say has its node’s own init, and one that does what it says', async () => {
  // The client always says one of the two.
  for (const [Name, init] of [
    ['plain', {}],
    ['with', { Init: true }],
    ['without', { Init: false }],
  ] as const) {
    const ContainerSpec = { Image: 'alpine', Args: ['sleep', 'inf'], StopSignal: 'SIGKILL', ...init };
    const Placement = { Constraints: ['node.role==worker'] };
    const made = await manager.api('POST', '/services/create', {
      Name,
      TaskTemplate: { ContainerSpec, Placement },
    });
    expect(made.status).toBe(201);
  }
  const seen = async (name: string): Promise<string> => {
    const id = await taskOf(worker, name);
    const first = await worker.docker('exec', id, 'cat', '/proc/1/comm');
    return `${await worker.docker('inspect', '-f', '{{json .HostConfig.Init}}', id)} ${first}`;
  };
  expect(await seen('plain')).toMatch(/^null (docker-init|tini)$/);
  expect(await seen('with')).toMatch(/^true (docker-init|tini)$/);
  expect(await seen('without')).toBe('false sleep');
});
