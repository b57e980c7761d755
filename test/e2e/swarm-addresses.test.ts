/** S6, S11: a service's address, its names, and what becomes of requests while its tasks come and go; by the real client. */
import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Lab, type LabHost, startLab } from '../support/lab.js';
import { until } from '../support/run.js';
import { HEALTH, lines, untilRunning as runs } from '../support/service-phrases.js';

let lab: Lab;
let first: LabHost;
let second: LabHost;
const create = (name: string, ...args: string[]): Promise<string> =>
  first.docker('service', 'create', '-d', '--name', name, '--restart-delay', '0s', ...args);
const untilRunning = (service: string, count: number): Promise<true> => runs(first, service, count);

const inCaller = (...command: readonly string[]): Promise<string> =>
  second.docker('exec', 'caller', ...command);
const dig = async (...question: readonly string[]): Promise<readonly string[]> =>
  lines(await inCaller('dig', '+short', ...question)).filter((line) => !line.startsWith(';'));

/** Requests one behind the other while `work` is done: how many were answered, and what was said of the others. */
const during = async (work: () => Promise<unknown>): Promise<readonly string[]> => {
  const loop =
    'while [ ! -e /tmp/stop ]; do curl -sS -o /dev/null -w ok --max-time 5 http://web/ 2>&1; echo; done';
  await inCaller('rm', '-f', '/tmp/stop');
  const asked = inCaller('sh', '-c', loop);
  await work();
  await inCaller('touch', '/tmp/stop');
  return lines(await asked);
};

beforeAll(async () => {
  lab = await startLab(2, { images: ['alpine', 'nginx', 'nettools'] });
  [first, second] = [lab.host(1), lab.host(2)];
  await first.docker('swarm', 'init', '--dispatcher-heartbeat', '1s');
  const token = await first.docker('swarm', 'join-token', '-q', 'worker');
  await second.docker('swarm', 'join', '--token', token, first.ipv4);
  await first.docker('network', 'create', '-d', 'overlay', '--attachable', 'shop');
  await create(
    'web',
    '--replicas',
    '3',
    '--network',
    'name=shop,alias=store',
    '--stop-signal',
    'SIGQUIT',
    ...HEALTH,
    'nginx',
  );
  await untilRunning('web', 3);
  await until(
    'the network is there',
    async () =>
      (
        await second.docker.try([
          'run',
          '-d',
          '--name',
          'caller',
          '--network',
          'shop',
          'nettools',
          'sleep',
          'inf',
        ])
      ).code === 0,
  );
});
afterAll(async () => {
  await second?.docker.try(['rm', '-f', 'caller']);
  const left = await first?.docker.try(['service', 'ls', '-q']);
  for (const id of lines(left?.stdout ?? '')) await first.docker.try(['service', 'rm', id]);
  await lab?.stop();
});

test('S6: a service has one address by its names, tasks.NAME and dnsrr have those of the tasks', async () => {
  const [vip = ''] = await dig('web');
  const seen = await first.docker(
    'service',
    'inspect',
    '--format',
    '{{range .Endpoint.VirtualIPs}}{{.Addr}}{{end}}',
    'web',
  );
  expect(seen.split('/')[0]).toBe(vip);
  for (const name of ['web', 'store', 'web.shop']) expect(await dig(name)).toEqual([vip]);
  expect(await dig('tasks.web')).toHaveLength(3);
  expect(await dig('tasks.store')).toHaveLength(3);
  expect(await dig('-x', vip)).toEqual(['web.shop.']);
  expect(await dig('web', 'AAAA')).toEqual([]);
  expect(await inCaller('ping', '-c', '1', '-W', '2', 'web')).toContain('1 received');
  await create(
    'turns',
    '--replicas',
    '2',
    '--endpoint-mode',
    'dnsrr',
    '--network',
    'shop',
    '--stop-signal',
    'SIGKILL',
    'alpine',
    'sleep',
    'inf',
  );
  await untilRunning('turns', 2);
  await until('both are answered', async () => (await dig('turns')).length === 2);
});

test('S6: a network’s services and their tasks are shown, on each of its hosts', async () => {
  const [vip = ''] = await dig('web');
  const addresses = (await dig('tasks.web')).toSorted();
  for (const host of [first, second]) {
    const [shown] = JSON.parse(await host.docker('network', 'inspect', '--verbose', 'shop'));
    expect(shown.Services.web).toMatchObject({ VIP: vip, Ports: [], LocalLBIndex: 0 });
    const { Tasks } = shown.Services.web as {
      Tasks: { Name: string; EndpointIP: string; Info: Record<string, string> }[];
    };
    expect(Tasks.map(({ EndpointIP }) => EndpointIP).toSorted()).toEqual(addresses);
    for (const { Name, Info } of Tasks) {
      expect(Name).toMatch(/^web\.\d\.\w{25}$/);
      const local = (await host.docker('ps', '-q', '--filter', `name=${Name}`)) !== '';
      expect(Info['Host IP'] === host.ipv4).toBe(local);
    }
    expect(shown.Services[''].Tasks).toMatchObject([{ Name: 'caller', Info: { 'Host IP': second.ipv4 } }]);
    expect(JSON.parse(await host.docker('network', 'inspect', 'shop'))[0].Services).toBeUndefined();
  }
});

test('S9: a service and its tasks have the addresses that were chosen for them', async () => {
  const subnet = await first.docker(
    ...['network', 'inspect', '--format', '{{(index .IPAM.Config 0).Subnet}}', 'shop'],
  );
  const at = (n: number): string => subnet.replace(/\.\d+\/.*/, `.${n}`);
  const network = `name=shop,"driver-opt=com.viaduct.ip=${at(150)},${at(151)}",driver-opt=com.viaduct.vip=${at(140)}`;
  const refused = await first.docker.try([
    ...['service', 'create', '--name', 'fixed', '--replicas', '3', '--network', network, 'alpine'],
  ]);
  expect(refused.stderr).toContain('2 IPv4 addresses for 3 replicas');
  await create(
    'fixed',
    ...['--replicas', '2', '--network', network, '--stop-signal', 'SIGKILL', 'alpine', 'sleep', 'inf'],
  );
  await untilRunning('fixed', 2);
  expect(await dig('fixed')).toEqual([at(140)]);
  await until('both are answered', async () => (await dig('tasks.fixed')).length === 2);
  expect([...(await dig('tasks.fixed'))].sort()).toEqual([at(150), at(151)]);
  await first.docker('service', 'update', '--force', '--update-monitor', '1s', 'fixed');
  await untilRunning('fixed', 2);
  await until('both are answered', async () => (await dig('tasks.fixed')).length === 2);
  expect([...(await dig('tasks.fixed'))].sort()).toEqual([at(150), at(151)]);
  await first.docker('service', 'rm', 'fixed');
});

test('S11: no request fails while a service is scaled down and up and updated', async () => {
  const said = await during(async () => {
    await first.docker('service', 'scale', 'web=1');
    await first.docker('service', 'scale', 'web=3');
    await first.docker(
      'service',
      'update',
      '--env-add',
      'NEW=1',
      '--update-monitor',
      '1s',
      '--update-order',
      'start-first',
      'web',
    );
  });
  expect(said.filter((line) => line !== 'ok')).toEqual([]);
  expect(said.length).toBeGreaterThan(20);
});

test('S6: a daemon that starts while no manager answers keeps the addresses', async () => {
  await first.kill9();
  await second.restart();
  const said = await during(() => new Promise((done) => setTimeout(done, 1_000)));
  expect(said.filter((line) => line !== 'ok')).toEqual([]);
  await first.start();
  await untilRunning('web', 3);
});

test('S6: without a task a service refuses at once, and the container’s table goes with the services', async () => {
  await first.docker('service', 'scale', '-d', 'web=0');
  await until('it refuses', async () => {
    const { stdout } = await second.docker.try([
      'exec',
      'caller',
      'sh',
      '-c',
      'curl -sS --max-time 1 http://web/ 2>&1',
    ]);
    return /refused|Couldn't connect/.test(stdout);
  });
  await first.docker('service', 'rm', 'web', 'turns');
  const pid = await second.docker('inspect', '--format', '{{.State.Pid}}', 'caller');
  await until('nothing of it is left', async () => {
    const tables = execFileSync('nsenter', ['-t', pid, '-n', 'nft', 'list', 'tables'], { encoding: 'utf8' });
    return !tables.includes('inet viaduct');
  });
});
