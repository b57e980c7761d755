/**
 * S1, S6: a swarm in two parts. Each part's containers go on reaching each other; only the one with most managers decides, so that no address
 * is given twice; when the parts meet again there is one record of all.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Lab, type LabHost, startLab } from '../support/lab.js';
import { until } from '../support/run.js';

const REPLICAS = 4;
/** Milliseconds within which a refusal counts as one at once: the store alone would take seven seconds for it. */
const AT_ONCE = 3_000;

let lab: Lab;
beforeAll(async () => {
  lab = await startLab(4, { images: ['alpine'] });
  const first = lab.host(1);
  await first.docker('swarm', 'init', '--dispatcher-heartbeat', '1s');
  for (const [host, role] of [
    [lab.host(2), 'manager'],
    [lab.host(3), 'manager'],
    [lab.host(4), 'worker'],
  ] as const) {
    const token = await first.docker('swarm', 'join-token', '-q', role);
    await host.docker('swarm', 'join', '--token', token, first.ipv4);
  }
  await until('all are managers', async () => (await managers(first)).length === 3);
  await first.docker('network', 'create', '-d', 'overlay', '--attachable', 'net');
  await first.docker(
    ...['service', 'create', '-d', '--name', 'web', '--replicas', String(REPLICAS), '--network', 'net'],
    ...['--stop-grace-period', '1s', '--no-resolve-image', 'alpine', 'sleep', '600'],
  );
  for (const host of lab.hosts) await sleeper(host, `at${host.name}`);
  await until('the service runs', async () => (await tasks()).length === REPLICAS, 30_000);
}, 120_000);
afterAll(() => lab?.stop(), 60_000);

const lines = (text: string): readonly string[] => text.split('\n').filter((line) => line !== '');

const sleeper = ({ docker }: LabHost, name: string): Promise<string> =>
  docker('run', '-d', '--name', name, '--stop-timeout', '0', '--network', 'net', 'alpine', 'sleep', '600');

/** Managers that can be reached, as this one says. */
const managers = async ({ docker }: LabHost): Promise<readonly string[]> =>
  lines(
    (await docker.try(['node', 'ls', '--format', '{{.Hostname}} {{.Status}} {{.ManagerStatus}}'])).stdout,
  ).filter((line) => /Ready (Leader|Reachable)$/.test(line));

const leaderOf = async (host: LabHost): Promise<string | undefined> =>
  (await managers(host)).find((line) => line.endsWith('Leader'))?.split(' ')[0];

/** Containers of the service that run, wherever they do: `host2 abc…`. */
const tasks = async (): Promise<readonly string[]> => {
  const filter = ['--filter', 'label=com.docker.swarm.service.name=web'];
  const each = await Promise.all(lab.hosts.map(({ docker }) => docker('ps', '-q', '--no-trunc', ...filter)));
  return each.flatMap((ids, index) => lines(ids).map((id) => `host${index + 1} ${id}`));
};

/** Of all containers on the network, wherever they are. */
const addresses = async (): Promise<readonly string[]> => {
  const format = '{{with index .NetworkSettings.Networks "net"}}{{.IPAddress}}{{end}}';
  const each = await Promise.all(
    lab.hosts.map(async ({ docker }) =>
      docker('inspect', '-f', format, ...lines(await docker('ps', '-q', '--filter', 'network=net'))),
    ),
  );
  return each.flatMap(lines);
};

const reaches =
  ({ docker }: LabHost, from: string, to: string) =>
  async (): Promise<boolean> =>
    (await docker.try(['exec', from, 'ping', '-c', '1', '-W', '1', to])).code === 0;

/** What a manager tells of the swarm, but for who says it. */
const told = async ({ docker }: LabHost): Promise<string> =>
  (
    await Promise.all([
      docker('node', 'ls', '--format', '{{.ID}} {{.Hostname}} {{.Status}} {{.ManagerStatus}}'),
      docker('service', 'ps', '--no-trunc', '--format', '{{.ID}} {{.Node}} {{.DesiredState}}', 'web'),
      docker('service', 'inspect', 'web'),
      docker('network', 'ls', '--no-trunc', '--filter', 'scope=swarm'),
    ])
  ).join('\n');

/** Refused in words and at once, each of these. */
const refusesWrites = async (manager: LabHost, network: string): Promise<void> => {
  const said = async () => (await manager.docker('info', '--format', '{{.Swarm.Error}}')).includes('1 of 3');
  await until('it knows that it is alone', said, 30_000);
  const service = { Name: 'other', TaskTemplate: { ContainerSpec: { Image: 'alpine' } } };
  for (const [path, body] of [
    ['/networks/create', { Name: network, Driver: 'overlay' }],
    ['/services/create', service],
    ['/secrets/create', { Name: 'word', Data: 'eA==' }],
  ] as const) {
    const begun = performance.now();
    const { status, text } = await manager.api('POST', path, body);
    expect(performance.now() - begun).toBeLessThan(AT_ONCE);
    expect([status, text]).toEqual([503, expect.stringContaining('1 of 3 managers can be reached')]);
  }
};

/** `apart`: the manager and the worker that are alone. */
const partAndMeet = async (apart: readonly [LabHost, LabHost], most: readonly [LabHost, LabHost]) => {
  const [lone, loneToo] = apart;
  const [one, two] = most;
  await lab.part(apart.map(({ name }) => Number(name.slice('host'.length))));
  for (const [from, to] of [apart, most, [loneToo, lone]] as const)
    expect(await reaches(from, `at${from.name}`, `at${to.name}`)()).toBe(true);
  expect(await reaches(lone, `at${lone.name}`, `at${one.name}`)()).toBe(false);

  await refusesWrites(lone, 'refused');
  for (const { docker } of apart) {
    const run = await docker.try(['run', '--rm', '--network', 'net', 'alpine', 'true']);
    expect(run.stderr).toMatch(/managers? (of the swarm )?can be reached/);
    expect(run.code).not.toBe(0);
  }
  await until(
    'one of most leads',
    async () => {
      const leader = await leaderOf(one);
      return most.some(({ name }) => name === leader);
    },
    30_000,
  );
  for (const host of most) await sleeper(host, `parted${host.name}`);
  await one.docker('service', 'update', '-d', '--label-add', 'written=parted', 'web');
  const here = async () => (await tasks()).filter((task) => most.some(({ name }) => task.startsWith(name)));
  await until('they run all of the service', async () => (await here()).length === REPLICAS, 40_000);
  const during = await addresses();
  // What is told apart cannot be told to end: its tasks run, with addresses that nobody else has been given.
  expect((await tasks()).length).toBeGreaterThan(REPLICAS);
  expect(new Set(during).size).toBe(during.length);
  for (const [from, to] of [apart, most] as const)
    expect(await reaches(from, `at${from.name}`, `at${to.name}`)()).toBe(true);

  await lab.heal();
  await until('all managers are here', async () => (await managers(lone)).length === 3, 30_000);
  await until('extra tasks are stopped', async () => (await tasks()).length === REPLICAS, 30_000);
  await until(
    'each manager tells the same',
    async () => new Set(await Promise.all([lone, one, two].map(told))).size === 1,
  );
  const after = await addresses();
  expect(new Set(after).size).toBe(after.length);
  for (const host of apart)
    await until(
      'who came meanwhile is reached',
      reaches(host, `at${host.name}`, `parted${two.name}`),
      30_000,
    );
  await until('and back', reaches(two, `parted${two.name}`, `at${loneToo.name}`), 30_000);
  await sleeper(lone, 'late');
  await until('all is as it was', reaches(two, `at${two.name}`, 'late'));
  for (const host of lab.hosts) await host.docker.try(['rm', '-f', 'late', `parted${host.name}`]);
};

test('S1 S6: parted with its leader, the smaller part refuses and goes on, the larger one elects; then they are one', async () => {
  expect(await leaderOf(lab.host(2))).toBe('host1');
  await partAndMeet([lab.host(1), lab.host(4)], [lab.host(2), lab.host(3)]);
}, 180_000);

test('S1 S6: parted from a manager that does not lead, the same holds', async () => {
  const leader = await leaderOf(lab.host(2));
  const [one, two] = [lab.host(2), lab.host(3)];
  const [most, alone] = leader === one.name ? [one, two] : [two, one];
  await partAndMeet([alone, lab.host(4)], [most, lab.host(1)]);
}, 180_000);
