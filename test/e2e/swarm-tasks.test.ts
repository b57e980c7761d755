/** S3, S6: tasks of services as containers on the nodes of a swarm, by the real client. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type Lab, type LabHost, startLab } from '../support/lab.js';
import { until } from '../support/run.js';

let lab: Lab;
let first: LabHost;
let second: LabHost;

const READY = ['Ready', 'Ready', 'Ready'].join('\n');
const allReady = (patience?: number) =>
  until(
    'all nodes are ready',
    async () => (await first.docker('node', 'ls', '--format', '{{.Status}}')) === READY,
    patience,
  );

beforeAll(async () => {
  lab = await startLab(3, { images: ['alpine', 'busybox', 'nettools'] });
  [first, second] = [lab.host(1), lab.host(2)];
  await first.docker('swarm', 'init', '--dispatcher-heartbeat', '1s');
  const token = await first.docker('swarm', 'join-token', '-q', 'worker');
  for (const host of [second, lab.host(3)]) await host.docker('swarm', 'join', '--token', token, first.ipv4);
  await allReady();
});
afterAll(async () => {
  await lab?.stop();
});
afterEach(async () => {
  const left = await first.docker('service', 'ls', '-q');
  if (left !== '') await first.docker('service', 'rm', ...left.split('\n'));
  await until('no task is left', async () => (await everywhere()).length === 0, 20_000);
});

const lines = (text: string): readonly string[] => text.split('\n').filter((line) => line !== '');

/** Ids of containers of tasks that run there. */
const running = async (host: LabHost, service?: string): Promise<readonly string[]> =>
  lines(
    await host.docker(
      ...['ps', '-q', '--no-trunc', '--filter'],
      `label=com.docker.swarm.${service === undefined ? 'task.id' : `service.name=${service}`}`,
    ),
  );
const everywhere = async (service?: string): Promise<readonly string[]> => {
  const hosts = await Promise.all(lab.hosts.map((host) => running(host, service).catch(() => [])));
  return hosts.flat();
};
const untilRunning = (service: string, count: number, patience = 20_000) =>
  until(`${count} of ${service} run`, async () => (await everywhere(service)).length === count, patience);

const create = (name: string, ...args: string[]): Promise<string> =>
  first.docker('service', 'create', '-d', '--name', name, '--restart-delay', '0s', ...args);
/** One that ends when it is asked to. */
const SLEEP = ['--stop-signal', 'SIGKILL', 'alpine', 'sleep', 'inf'];

const tasks = async (service: string, format: string, ...more: string[]): Promise<readonly string[]> =>
  lines(await first.docker('service', 'ps', '--no-trunc', '--format', format, ...more, service));

test('S3: a service runs as often as it is told to, on all nodes', async () => {
  await create('web', '--replicas', '3', ...SLEEP);
  await untilRunning('web', 3);
  for (const host of lab.hosts) expect(await running(host, 'web')).toHaveLength(1);
  expect(await first.docker('service', 'ls', '--format', '{{.Name}} {{.Replicas}}')).toBe('web 3/3');
  expect(await tasks('web', '{{.Name}} {{.DesiredState}}')).toEqual([
    'web.1 Running',
    'web.2 Running',
    'web.3 Running',
  ]);
  await first.docker('service', 'scale', '-d', 'web=6');
  await untilRunning('web', 6);
  await first.docker('service', 'scale', '-d', 'web=1');
  await untilRunning('web', 1);
});

test('S3: the client waits until a service has converged, and until an update has', async () => {
  const said = await first.docker('service', 'create', '--name', 'seen', '--replicas', '2', ...SLEEP);
  expect(said).toContain('verify: Service');
  expect(await everywhere('seen')).toHaveLength(2);
  const before = new Set(await everywhere('seen'));
  await first.docker('service', 'update', '--env-add', 'NEW=1', '--update-monitor', '1s', 'seen');
  const after = await everywhere('seen');
  expect(after).toHaveLength(2);
  expect(after.filter((id) => before.has(id))).toEqual([]);
  await first.docker('service', 'rollback', '-d', 'seen');
  await until('the former spec is back', async () =>
    (await first.docker('service', 'inspect', '--format', '{{.UpdateStatus.State}}', 'seen')).startsWith(
      'rollback_',
    ),
  );
});

test('S3: a task has its name, its labels and what its templates say; a user sees it as a container', async () => {
  const env = 'WHO={{.Service.Name}} {{.Task.Slot}} {{.Node.Hostname}}';
  await create('named', '--hostname', 'h{{.Task.Slot}}', '--env', env, '--limit-memory', '64M', ...SLEEP);
  await untilRunning('named', 1);
  const host = (await Promise.all(lab.hosts.map((each) => running(each, 'named')))).findIndex(
    (ids) => ids.length === 1,
  );
  const at = lab.host(host + 1);
  const [id = ''] = await running(at, 'named');
  const [task = ''] = await tasks('named', '{{.ID}}');
  const [seen] = JSON.parse(await at.docker('inspect', id));
  expect(seen).toMatchObject({
    Name: `/named.1.${task}`,
    Config: {
      Hostname: 'h1',
      Labels: { 'com.docker.swarm.service.name': 'named', 'com.docker.swarm.task.id': task },
    },
    HostConfig: { Memory: 64 * 1024 * 1024 },
  });
  expect(seen.Config.Env).toContain(`WHO=named 1 ${at.name}`);
});

test('S3: a container that is killed is followed by another one, and its end is told', async () => {
  await create('killed', ...SLEEP);
  await untilRunning('killed', 1);
  const [before = ''] = await everywhere('killed');
  for (const host of lab.hosts) await host.docker.try(['kill', before]);
  await until('another one runs', async () => {
    const [now] = await everywhere('killed');
    return now !== undefined && now !== before;
  });
  expect(await tasks('killed', '{{.Name}} {{.DesiredState}} {{.Error}}')).toEqual([
    'killed.1 Running ',
    'killed.1 Shutdown "task: non-zero exit (137)"',
  ]);
});

test('S3: an image that is not there is told of, and a job comes to its end', async () => {
  await create('missing', '--restart-max-attempts', '1', '--no-resolve-image', 'nowhere.example/none');
  await until('it is rejected', async () =>
    (await tasks('missing', '{{.CurrentState}} {{.Error}}')).some((line) => line.startsWith('Rejected')),
  );
  await create(
    'job',
    '--mode',
    'replicated-job',
    '--replicas',
    '4',
    '--max-concurrent',
    '2',
    'alpine',
    'true',
  );
  await until('the job has ended', async () =>
    (await first.docker('service', 'ls', '--format', '{{.Replicas}}', '--filter', 'name=job')).includes(
      '4/4 completed',
    ),
  );
});

test('S3: a global service is on each node, and leaves one that is drained', async () => {
  await create('global', '--mode', 'global', ...SLEEP);
  await untilRunning('global', 3);
  await create('some', '--replicas', '3', ...SLEEP);
  await untilRunning('some', 3);
  await first.docker('node', 'update', '--availability', 'drain', 'host2');
  await until('nothing is left there', async () => (await running(second)).length === 0);
  await untilRunning('some', 3);
  await untilRunning('global', 2);
  await first.docker('node', 'update', '--availability', 'active', 'host2');
  await untilRunning('global', 3);
});

test('S3: a daemon that starts again has its tasks, also where no manager answers', async () => {
  await create('kept', '--replicas', '3', ...SLEEP);
  await untilRunning('kept', 3);
  const before = [...(await everywhere('kept'))].sort();
  await second.restart();
  await first.kill9();
  await second.restart();
  expect(await running(second, 'kept')).toHaveLength(1);
  await first.start();
  await allReady(20_000);
  expect([...(await everywhere('kept'))].sort()).toEqual(before);
  expect(await tasks('kept', '{{.Name}}')).toHaveLength(3);
});

test('S3: tasks of a node that dies run elsewhere; when it is back it has none twice', async () => {
  await create('moved', '--replicas', '3', ...SLEEP);
  await untilRunning('moved', 3);
  await second.crash();
  await until(
    'they run on the others',
    async () => (await running(first, 'moved')).length + (await running(lab.host(3), 'moved')).length === 3,
    30_000,
  );
  await second.start();
  await allReady(30_000);
  await untilRunning('moved', 3);
});

test('S6: services reach each other by name, and their tasks by tasks.NAME', async () => {
  await webAndClients(3);
  for (const host of lab.hosts) {
    const [client = ''] = await running(host, 'client');
    await until('all three answer', async () => {
      const { stdout } = await host.docker.try([
        ...['exec', client, 'sh', '-c'],
        'for i in 1 2 3 4 5 6 7 8 9 10 11 12; do curl -s --max-time 2 http://web/; done',
      ]);
      return new Set(lines(stdout)).size === 3;
    });
    expect(
      lines(await host.docker('exec', client, 'dig', '+short', 'tasks.web')).filter((line) =>
        line.startsWith('10.'),
      ),
    ).toHaveLength(3);
  }
  await first.docker('service', 'scale', '-d', 'web=1');
  await untilRunning('web', 1);
  const [client = ''] = await running(second, 'client');
  const all = await second.docker(
    ...[
      'exec',
      client,
      'sh',
      '-c',
      'for i in 1 2 3 4 5 6; do curl -s --max-time 2 http://web/ || exit 1; done',
    ],
  );
  expect(new Set(lines(all)).size).toBe(1);
  await first.docker('service', 'rm', 'web', 'client');
  await until(
    'the network can go',
    async () => (await first.docker.try(['network', 'rm', 'inner'])).code === 0,
  );
});

/** A service of the network `inner` that says its host's name, and a client of it on each node. */
const webAndClients = async (replicas: number, ...more: string[]): Promise<void> => {
  await first.docker('network', 'create', '-d', 'overlay', 'inner');
  await create(
    ...['web', '--replicas', String(replicas), '--network', 'inner', '--stop-signal', 'SIGKILL', ...more],
    ...['--hostname', 'web-{{.Task.Slot}}', 'busybox'],
    ...['sh', '-c', 'mkdir /w; hostname >/w/index.html; httpd -f -h /w -p 80'],
  );
  const sleeping = ['--stop-signal', 'SIGKILL', 'nettools', 'sleep', 'inf'];
  await create('client', '--mode', 'global', '--network', 'inner', ...sleeping);
  await untilRunning('web', replicas);
  await untilRunning('client', 3);
};

/** Each says a name, or nothing where nobody answered. */
const ask = async (host: LabHost, times: number): Promise<readonly string[]> => {
  const [client = ''] = await running(host, 'client');
  const script = `for i in $(seq ${times}); do curl -s --max-time 1 http://web/ || echo failed; done`;
  return lines((await host.docker.try(['exec', client, 'bash', '-c', script])).stdout);
};

const removeInner = async (): Promise<void> => {
  await first.docker('service', 'rm', 'web', 'client');
  await until(
    'the network can go',
    async () => (await first.docker.try(['network', 'rm', 'inner'])).code === 0,
  );
};

test('S6: a node that dies leaves the balancers within seconds, also while no manager answers', async () => {
  await webAndClients(3);
  await until('all three answer', async () => new Set(await ask(second, 12)).size === 3);
  await first.kill9();
  await lab.host(3).crash();
  const died = performance.now();
  await until('nobody is sent to the dead one', async () => {
    const said = await ask(second, 12);
    return said.length === 12 && !said.includes('failed');
  });
  // Serf needs some 6 s, and the look above takes its time.
  expect(performance.now() - died).toBeLessThan(10_000);
  await first.start();
  await lab.host(3).start();
  await allReady(30_000);
  await removeInner();
});

test('S6: nothing is dropped while a service is updated and scaled', async () => {
  // On a busy machine a task's program may need longer to listen than we to lead clients to it: only it can tell that it does.
  const healthy = ['--health-cmd', 'wget -q -O /dev/null http://127.0.0.1/', '--health-interval', '100ms'];
  await webAndClients(2, ...healthy);
  await until('both answer', async () => new Set(await ask(second, 12)).size === 2);
  const [client = ''] = await running(second, 'client');
  const inClient = (script: string) => second.docker('exec', client, 'bash', '-c', script);
  await inClient(
    'for i in 1 2; do (while [ ! -e /stop ]; do curl -s -o /dev/null --max-time 3 http://web/ && echo ok || echo failed $?; sleep 0.01; done >/said$i) & done; true',
  );
  const update = (...args: string[]): Promise<string> =>
    first.docker('service', 'update', '--quiet', '--update-monitor', '500ms', ...args, 'web');
  await update('--update-order', 'stop-first', '--env-add', 'N=1');
  await update('--update-order', 'start-first', '--env-add', 'N=2');
  await update('--replicas', '10');
  await update('--replicas', '2');
  await update('--force');
  await inClient('touch /stop; sleep 1');
  const said = lines(await inClient('sort /said1 /said2 | uniq -c'));
  expect(said).toHaveLength(1);
  expect(said[0]).toMatch(/^ *\d{3,} ok$/);
  await removeInner();
});
