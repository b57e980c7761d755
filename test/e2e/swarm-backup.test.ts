/** S1: the guide's chapter on backups: a manager's directory, copied while it stands still, brings a cluster back whose managers are all lost. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Lab, type LabHost, startLab } from '../support/lab.js';
import { until } from '../support/run.js';
import { lines, untilRunning } from '../support/service-phrases.js';

let lab: Lab;
let manager: LabHost;
let worker: LabHost;
let other: LabHost;
beforeAll(async () => {
  lab = await startLab(3, { images: ['nettools'] });
  manager = lab.host(1);
  worker = lab.host(2);
  other = lab.host(3);
  await manager.docker('swarm', 'init', '--advertise-addr', manager.ipv4);
  for (const [host, role] of [
    [worker, 'worker'],
    [other, 'manager'],
  ] as const) {
    const token = await manager.docker('swarm', 'join-token', '-q', role);
    await host.docker('swarm', 'join', '--token', token, `${manager.ipv4}:2377`);
  }
  await manager.docker('network', 'create', '-d', 'overlay', '--attachable', 'shop');
  await manager.host(`echo -n word | DOCKER_HOST=unix://${manager.socket} docker secret create password -`);
  await create(3, 'web', '--network', 'shop');
});
afterAll(async () => {
  await lab?.stop();
});

const create = async (replicas: number, name: string, ...args: string[]): Promise<void> => {
  await manager.docker(
    ...['service', 'create', '-d', '--name', name, '--replicas', String(replicas), '--restart-delay', '0s'],
    ...args,
    ...['nettools', 'sleep', 'inf'],
  );
  await untilRunning(manager, name, replicas);
};

const directory = ({ dataRoot }: LabHost): string => join(dataRoot, 'swarm');
const backup = ({ world }: LabHost): string => join(world.base, 'backup');

const etcds = ({ world }: LabHost): readonly number[] =>
  world.processes().filter((pid) => readFileSync(`/proc/${pid}/comm`, 'utf8') === 'etcd\n');

/** As the guide says it: daemon and etcd stand still meanwhile. */
const backUp = async (host: LabHost): Promise<void> => {
  await host.terminate();
  for (const pid of etcds(host)) process.kill(pid, 'SIGTERM');
  await until('etcd has ended', () => etcds(host).length === 0, 40_000); // it hands over first
  await host.host(`cp -a ${directory(host)} ${backup(host)}`);
  await host.start();
};

const run = (host: LabHost, name: string): Promise<string> =>
  host.docker('run', '-d', '--name', name, '--network', 'shop', 'nettools', 'sleep', 'inf');

const addressOf = (host: LabHost, container: string): Promise<string> =>
  host.docker('inspect', '-f', '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}', container);

test('S1: a cluster whose managers are lost comes back from a copy that is older than what runs', async () => {
  await backUp(manager);
  await until(
    'it is a manager again',
    async () => (await manager.docker.try(['node', 'ls'])).code === 0,
    30_000,
  );
  await create(2, 'late');
  await run(worker, 'newer');
  const newer = await addressOf(worker, 'newer');

  await Promise.all([manager.crash(), other.crash()]);
  await manager.host(`rm -rf ${directory(manager)} && mv ${backup(manager)} ${directory(manager)}`);
  await manager.start();
  expect((await manager.docker.try(['node', 'ls'])).code).toBe(1); // one of two managers
  await manager.docker('swarm', 'init', '--force-new-cluster');
  await until(
    'the worker is back',
    async () =>
      (await manager.docker('node', 'ls', '--format', '{{.Hostname}} {{.Status}}')).includes('host2 Ready'),
    40_000,
  );
  expect(lines(await manager.docker('service', 'ls', '--format', '{{.Name}}'))).toEqual(['web']);
  await until(
    'what the copy does not know has ended',
    async () => !(await worker.docker('ps', '--format', '{{.Names}}')).includes('late'),
    30_000,
  );

  // What was attached after the copy was made goes on, and nobody else gets its address.
  await worker.docker('exec', 'newer', 'true');
  expect(await addressOf(worker, 'newer')).toBe(newer);
  const names = Array.from({ length: 6 }, (_, i) => `one${i}`);
  await until(
    'the cluster has heard what runs',
    async () =>
      (await manager.docker.try(['run', '-d', '--rm', '--network', 'shop', 'nettools', 'sleep', 'inf']))
        .code === 0,
    30_000,
  );
  for (const name of names) await run(manager, name);
  // Also the one that the lost host had.
  const webs = async ({ docker }: LabHost) => lines(await docker('ps', '-q', '--filter', 'name=web')).length;
  await until('three run', async () => (await webs(manager)) + (await webs(worker)) === 3, 40_000);
  const all = lab.hosts.slice(0, 2).map(async (host) => {
    const ids = lines(await host.docker('ps', '-q'));
    return Promise.all(ids.map((id) => addressOf(host, id)));
  });
  const given = (await Promise.all(all)).flat();
  expect(given).toContain(newer);
  expect(new Set(given).size).toBe(given.length);
  await manager.docker('exec', 'one0', 'ping', '-c', '1', '-W', '5', 'newer');
  await create(1, 'reader', '--secret', 'password', '--constraint', 'node.hostname==host2');
  const [id = ''] = lines(await worker.docker('ps', '-q', '--filter', 'name=reader'));
  expect(await worker.docker('exec', id, 'cat', '/run/secrets/password')).toBe('word');
}, 180_000);
