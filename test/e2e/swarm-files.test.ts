/** S3, S5, S10: what a task’s container is given besides its image: secrets, configs, ports of its node, a health check; with the real client. */
import { execFileSync } from 'node:child_process';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type Lab, type LabHost, startLab } from '../support/lab.js';
import { until } from '../support/run.js';

let lab: Lab;
let manager: LabHost;
let worker: LabHost;

beforeAll(async () => {
  lab = await startLab(2, { images: ['alpine', 'busybox'] });
  [manager, worker] = [lab.host(1), lab.host(2)];
  await manager.docker('swarm', 'init', '--dispatcher-heartbeat', '1s');
  const token = await manager.docker('swarm', 'join-token', '-q', 'worker');
  await worker.docker('swarm', 'join', '--token', token, manager.ipv4);
});
afterAll(() => lab?.stop());
afterEach(async () => {
  const left = await manager.docker('service', 'ls', '-q');
  if (left !== '') await manager.docker('service', 'rm', ...left.split('\n'));
  await until('no container is left', async () => (await worker.docker('ps', '-aq')) === '', 20_000);
});

/** On the worker, which has no more of the cluster than what it was told. */
const create = (name: string, ...args: string[]): Promise<string> =>
  manager.docker(
    ...['service', 'create', '-d', '--name', name, '--constraint', 'node.role==worker'],
    ...['--restart-delay', '0s', '--stop-grace-period', '1s', '--no-resolve-image', ...args],
  );
const running = async (name: string): Promise<string> => {
  let id = '';
  await until(`${name} runs`, async () => {
    id = await worker.docker('ps', '-q', '--filter', `label=com.docker.swarm.service.name=${name}`);
    return id !== '';
  });
  return id;
};
const told = (name: string, format: string): Promise<string> =>
  manager.docker('service', 'ps', '--no-trunc', '--format', format, name);
const SLEEP = ['alpine', 'sleep', 'inf'];
const make = async (kind: string, name: string, text: string): Promise<void> => {
  const made = await manager.docker.try([kind, 'create', name, '-'], { input: text });
  expect(made).toMatchObject({ code: 0 });
};

test('S10: secrets and configs are files of the task alone, on no disk of its node, and go with it', async () => {
  const text = 'kept-from-all-disks-4711';
  await make('secret', 'key', text);
  await make('config', 'conf', 'listen=80');
  await create(
    'keeper',
    ...['--secret', 'key', '--secret', 'source=key,target=/etc/own,uid=1000,gid=1001,mode=0400'],
    ...['--config', 'source=conf,target=/etc/app.conf', ...SLEEP],
  );
  const id = await running('keeper');
  const inside = (...command: string[]): Promise<string> => worker.docker('exec', id, ...command);
  expect(await inside('cat', '/run/secrets/key', '/etc/own')).toBe(text + text);
  expect(await inside('cat', '/etc/app.conf')).toBe('listen=80');
  expect(await inside('stat', '-c', '%u:%g %a', '/etc/own')).toBe('1000:1001 400');
  expect(await inside('stat', '-c', '%u:%g %a', '/run/secrets/key')).toBe('0:0 444');
  expect(await worker.docker.try(['exec', id, 'sh', '-c', 'echo x > /etc/app.conf'])).toMatchObject({
    stderr: expect.stringContaining('Read-only file system'),
  });
  await worker.kill9();
  await worker.start();
  expect(await inside('cat', '/run/secrets/key')).toBe(text);
  const found = execFileSync('sh', ['-c', `grep -rlF ${text} ${worker.dataRoot} || true`], {
    encoding: 'utf8',
  });
  expect(found).toBe('');
  await manager.docker('service', 'rm', 'keeper');
  await until('its files are gone', () => !worker.world.mounts().some((path) => path.includes('task-files')));
  await manager.docker('secret', 'rm', 'key');
  await manager.docker('config', 'rm', 'conf');
});

test('S5: a port of the node that its task is on, told with the task', async () => {
  await create(
    'web',
    '--publish',
    'mode=host,published=8080,target=80',
    'busybox',
    'httpd',
    '-f',
    '-h',
    '/etc',
  );
  await running('web');
  await until('it is told', async () => (await told('web', '{{.Ports}}')).includes('8080->80/tcp'));
  expect(await lab.wire(`curl -sf -m 5 ${worker.ipv4}:8080/hostname`)).not.toBe('');
  await expect(lab.wire(`curl -sf -m 2 ${manager.ipv4}:8080/hostname`)).rejects.toThrow();
});

test('S3: a task runs when it is healthy, and is replaced when it is no more', async () => {
  const check = ['--health-cmd', 'test -e /well', '--health-interval', '300ms', '--health-retries', '2'];
  await create('well', ...check, 'alpine', 'sh', '-c', 'touch /well; sleep inf');
  await until('it is healthy', async () => (await told('well', '{{.CurrentState}}')).startsWith('Running'));
  const before = await running('well');
  await worker.docker('exec', before, 'rm', '/well');
  await until('another one runs', async () => {
    const now = await told('well', '{{.CurrentState}} {{.Error}}');
    return now.includes(': dockerexec: unhealthy container') && now.includes('Running');
  });
  expect(await running('well')).not.toBe(before);
});

test('S3: what only has the labels of a task is nobody’s task', async () => {
  await worker.docker('run', '-d', '--name', 'own', '-l', 'com.docker.swarm.task.id=abc', ...SLEEP);
  await worker.kill9();
  await worker.start();
  await create('other', ...SLEEP);
  await running('other');
  const listed = (isTask: boolean) =>
    worker.docker('ps', '--format', '{{.Names}}', '--filter', `is-task=${isTask}`);
  expect(await listed(false)).toBe('own');
  expect(await listed(true)).toMatch(/^other\.1\.\w+$/);
  await worker.docker('rm', '-f', 'own');
});

test('A: a label of a container, or of its image, leads to no path of the host', async () => {
  const victim = '/tmp/of-the-host';
  await worker.host(`mkdir ${victim} && mount -t tmpfs of-the-host ${victim}`);
  const label = `com.docker.swarm.task.id=${'../'.repeat(16)}${victim.slice(1)}`;
  await worker.docker('run', '--rm', '-l', label, 'alpine', 'true');
  await create('other', ...SLEEP);
  await running('other');
  expect(await worker.host(`mount | grep -c of-the-host; umount ${victim}; rmdir ${victim}`)).toMatch(/^1$/m);
});

test('S3: what a service asks and no node can is told in words', async () => {
  await make('secret', 'key', 'x');
  await create(
    'words',
    '--secret',
    'source=key,target=k,uid=www-data',
    '--restart-condition',
    'none',
    ...SLEEP,
  );
  await until('it is rejected', async () =>
    (await told('words', '{{.CurrentState}}')).startsWith('Rejected'),
  );
  expect(await told('words', '{{.Error}}')).toContain('www-data is no number of a user or a group');
  await manager.docker('service', 'rm', 'words');
  await manager.docker('secret', 'rm', 'key');
});

test('S3: a volume of a plugin is warned of, and waited for; one of the local driver is made on the node', async () => {
  const made = await manager.docker.try([
    ...['service', 'create', '-d', '--no-resolve-image', '--name', 'plugged'],
    ...['--mount', 'type=volume,source=v,target=/v,volume-driver=flocker', ...SLEEP],
  ]);
  expect(made).toMatchObject({
    code: 0,
    stderr: expect.stringContaining('volume driver flocker is on no node'),
  });
  await until('it says what it waits for', async () =>
    (await told('plugged', '{{.Error}}')).includes('missing plugin on 2 nodes'),
  );
  const local = [
    'volume-driver=local',
    'volume-label=a=b',
    '"volume-opt=type=tmpfs"',
    '"volume-opt=device=tmpfs"',
  ];
  await create('kept', '--mount', ['type=volume,source=data,target=/w', ...local].join(','), ...SLEEP);
  const id = await running('kept');
  expect(await worker.docker('exec', id, 'stat', '-f', '-c', '%T', '/w')).toBe('tmpfs');
  expect(await worker.docker('volume', 'inspect', '-f', '{{.Driver}} {{.Labels.a}}', 'data')).toBe('local b');
});
