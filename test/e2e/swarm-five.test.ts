/** S1: managers become more and fewer, one to five and back, while what they run on are killed: the leader's daemon, its etcd, and both. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { etcdOf, type Lab, type LabHost, startLab } from '../support/lab.js';
import { until } from '../support/run.js';

let lab: Lab;
let first: LabHost;
beforeAll(async () => {
  lab = await startLab(5);
  first = lab.host(1);
  await first.docker('swarm', 'init', '--dispatcher-heartbeat', '1s');
  const token = await first.docker('swarm', 'join-token', '-q', 'worker');
  for (const host of lab.hosts.slice(1)) await host.docker('swarm', 'join', '--token', token, first.ipv4);
}, 120_000);
afterAll(() => lab?.stop(), 60_000);

/** Names of managers that can be reached, the leader's first, as this one says; none: it says nothing. */
const managers = async ({ docker }: LabHost): Promise<readonly string[]> => {
  const format = '{{.ManagerStatus}} {{.Status}} {{.Hostname}}';
  const { stdout } = await docker.try(['node', 'ls', '--format', format]);
  const ready = stdout
    .split('\n')
    .flatMap((line) => /^(Leader|Reachable) Ready (\w+)$/.exec(line)?.[0] ?? []);
  return ready.sort().map((line) => line.split(' ')[2] ?? '');
};

/** Each of the first so many says that they, and nobody else, are the managers. */
const agree = (count: number): Promise<unknown> =>
  until(
    `${count} managers`,
    async () => {
      const said = await Promise.all(lab.hosts.slice(0, count).map(managers));
      return said.every((names) => names.length === count && names[0] === said[0]?.[0]);
    },
    40_000,
  );

const numbered = (names: readonly string[]): LabHost => {
  const found = lab.hosts.find(({ name }) => name === names[0]);
  if (!found) throw new Error('nobody leads');
  return found;
};

/** Written by one manager, and read by each. */
const remembers = async (count: number, text: string, by: LabHost): Promise<void> => {
  await until(
    `${text} is written`,
    async () => (await by.docker.try(['node', 'update', '--label-add', text, 'host5'])).code === 0,
    30_000,
  );
  const [name, value] = text.split('=');
  for (const { docker } of lab.hosts.slice(0, count))
    expect(await docker('node', 'inspect', '-f', `{{index .Spec.Labels "${name}"}}`, 'host5')).toBe(value);
};

test('S1: one becomes three, and three five', async () => {
  await first.docker('node', 'promote', 'host2', 'host3');
  await agree(3);
  await remembers(3, 'managers=three', lab.host(3));
  await first.docker('node', 'promote', 'host4', 'host5');
  await agree(5);
  await remembers(5, 'managers=five', lab.host(4));
}, 90_000);

test('S1: the leader’s etcd is killed: another one leads, and it is started again; then its daemon too', async () => {
  const leader = numbered(await managers(first));
  const etcd = etcdOf(leader);
  if (etcd === undefined) throw new Error('the leader has no etcd');
  process.kill(etcd, 'SIGKILL');
  await agree(5);
  expect(etcdOf(leader)).not.toBe(etcd);
  await remembers(5, 'etcd=killed', leader);

  const next = numbered(await managers(first));
  const kept = etcdOf(next);
  await next.kill9();
  const other = lab.host(next === lab.host(2) ? 3 : 2);
  await remembers(0, 'daemon=killed', other);
  await next.start();
  await agree(5);
  expect(etcdOf(next)).toBe(kept);

  const last = numbered(await managers(first));
  await last.crash();
  const another = lab.host(last === lab.host(2) ? 3 : 2);
  await remembers(0, 'both=killed', another);
  await last.start();
  await agree(5);
  await remembers(5, 'all=back', last);
}, 120_000);

/** Where the one before was the leader, there is none for a moment. */
const demoted = (name: string): Promise<true> =>
  until(
    `${name} is demoted`,
    async () => (await first.docker.try(['node', 'demote', name])).code === 0,
    20_000,
  );

test('S1: five become three, and three one', async () => {
  for (const name of ['host4', 'host5']) await demoted(name);
  await agree(3);
  await remembers(3, 'managers=fewer', lab.host(2));
  for (const name of ['host2', 'host3']) await demoted(name);
  await agree(1);
  await remembers(1, 'managers=one', first);
  for (const host of lab.hosts.slice(1))
    await until(`${host.name} has no etcd`, () => etcdOf(host) === undefined, 20_000);
}, 90_000);
