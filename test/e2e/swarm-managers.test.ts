/** S1: several managers, by the real client: one to three and back, a lost leader, a lost quorum. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createEtcdClient, type EtcdClient } from '../../src/cluster/etcd/client.js';
import { etcdOf, type Lab, type LabHost, startLab } from '../support/lab.js';
import { until } from '../support/run.js';

let lab: Lab;
beforeAll(async () => {
  lab = await startLab(3);
});
afterAll(async () => {
  await lab?.stop();
});

/** `host1` → `Ready Leader`, as this host's manager says. */
const nodes = async (host: LabHost): Promise<Readonly<Record<string, string>>> => {
  const said = await host.docker.try([
    'node',
    'ls',
    '--format',
    '{{.Hostname}} {{.Status}} {{.ManagerStatus}}',
  ]);
  const lines = said.stdout.split('\n').filter((line) => line !== '');
  return Object.fromEntries(
    lines.map((line) => [line.split(' ')[0], line.split(' ').slice(1).join(' ').trim()]),
  );
};

const everybodyIs = (wanted: Readonly<Record<string, string>>, by: LabHost, patience?: number) =>
  until(
    `${by.name} sees ${JSON.stringify(wanted)}`,
    async () => {
      const now = await nodes(by);
      return Object.entries(wanted).every(([name, state]) => now[name] === state);
    },
    patience,
  );

const isWorker = (host: LabHost) =>
  until(`${host.name} is a worker`, async () =>
    (await host.docker.try(['node', 'ls'])).stderr.includes('Worker nodes can'),
  );

/** As the client does it, which reads the node first: again, where the leader has written of it in between. */
const label = (host: LabHost, text: string): Promise<unknown> =>
  until(`host1 has the label ${text}`, async () => {
    const said = await host.docker.try(['node', 'update', '--label-add', text, 'host1']);
    if (said.code !== 0 && !said.stderr.includes('update out of sequence')) throw new Error(said.stderr);
    return said.code === 0;
  });

const THREE = { host1: 'Ready Leader', host2: 'Ready Reachable', host3: 'Ready Reachable' };

test('S1: one manager becomes three, and each of them answers', async () => {
  const [first, second, third] = [lab.host(1), lab.host(2), lab.host(3)];
  await first.docker('swarm', 'init', '--dispatcher-heartbeat', '1s');
  const token = await first.docker('swarm', 'join-token', '-q', 'manager');
  for (const host of [second, third])
    expect(await host.docker('swarm', 'join', '--token', token, first.ipv4)).toBe(
      'This node joined a swarm as a manager.',
    );
  for (const host of [first, second, third]) await everybodyIs(THREE, host);
  await label(third, 'seen=everywhere');
  expect(await second.docker('node', 'inspect', '--format', '{{.Spec.Labels.seen}}', 'host1')).toBe(
    'everywhere',
  );
});

test('S1: a leader’s restart is no election', async () => {
  const [first, second] = [lab.host(1), lab.host(2)];
  await first.restart();
  await everybodyIs(THREE, first);
  await everybodyIs(THREE, second);
});

test('S1: a leader that dies is followed by another one, and is a manager when it is back', async () => {
  const [first, second] = [lab.host(1), lab.host(2)];
  await first.crash();
  await until(
    'another one leads',
    async () =>
      Object.values(await nodes(second)).filter((state) => state.endsWith('Leader')).length === 1 &&
      (await nodes(second)).host1?.includes('Unreachable'),
    40_000,
  );
  await label(second, 'written=without');
  await first.start();
  await until('it is back', async () => (await nodes(second)).host1 === 'Ready Reachable', 20_000);
  await until(
    'it knows what was written',
    async () =>
      (await first.docker('node', 'inspect', '--format', '{{.Spec.Labels.written}}', 'host1')) === 'without',
  );
});

/** What is asked of this host's etcd itself. */
const asking = async <T>(host: LabHost, work: (etcd: EtcdClient) => Promise<T>): Promise<T> => {
  const path = `/proc/${etcdOf(host)}/cwd/client:1`;
  const etcd = createEtcdClient({ endpoints: [{ kind: 'unix', path }] });
  return work(etcd).finally(() => etcd.close());
};

/** Whose etcd leads raft, as that one says itself. */
const leadsRaft = (): Promise<LabHost> =>
  until('an etcd leads', async () => {
    for (const host of lab.hosts) {
      const status = await asking(host, (etcd) => etcd.status());
      if (status.leader === status.memberId) return host;
    }
    return undefined;
  });

const settled = (by: LabHost): Promise<unknown> =>
  until(
    'all are reachable',
    async () => {
      const states = Object.values(await nodes(by));
      return states.length === 3 && states.every((state) => /^Ready (Leader|Reachable)$/.test(state));
    },
    30_000,
  );

// Renewals of leases go to the door of the member that leads raft; what goes through raft needs no door.
test('S1: where a daemon dies while its etcd leads raft on, the others stay, and one of them leads and goes on leading', async () => {
  await settled(lab.host(1));
  const dead = await leadsRaft();
  const [by, other] = lab.hosts.filter((host) => host !== dead) as [LabHost, LabHost];
  const etcd = etcdOf(dead);
  await dead.kill9();
  const leaders: string[] = [];
  const missed = new Set<string>();
  const begun = performance.now();
  while (performance.now() - begun < 22_000) {
    const now = await nodes(by);
    const [leader] = Object.entries(now).find(([, state]) => state.endsWith('Leader')) ?? [];
    if (leader !== undefined && leader !== leaders.at(-1)) leaders.push(leader);
    for (const { name } of [by, other]) if (now[name]?.endsWith('Unreachable')) missed.add(name);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  expect([...missed]).toEqual([]);
  expect(leaders.length).toBeLessThanOrEqual(2);
  expect(leaders.at(-1)).not.toBe(dead.name);
  expect(etcdOf(dead)).toBe(etcd);
  await dead.start();
  await settled(by);
});

const hasLearner = (host: LabHost): Promise<boolean> =>
  asking(host, async (its) => (await its.members()).some(({ learner }) => learner));

/** Stops the etcd of a manager that joins (the process) while it has all that it begins with, and no vote yet; undefined: it had its vote before. */
const stoppedLearner = async (joins: LabHost, by: LabHost): Promise<number | undefined> => {
  await by.docker('node', 'demote', joins.name);
  await isWorker(joins);
  await until('nothing is left of its etcd', () => etcdOf(joins) === undefined);
  await by.docker('node', 'promote', joins.name);
  await until('its etcd answers', () => asking(joins, (its) => its.status()).catch(() => undefined));
  const etcd = await until('its etcd runs', () => etcdOf(joins));
  process.kill(etcd, 'SIGSTOP');
  if (await hasLearner(by)) return etcd;
  process.kill(etcd, 'SIGCONT');
  return undefined;
};

test('S1: a manager that joins has its vote also where those who took it in die before they gave it', async () => {
  const [first, second, third] = [lab.host(1), lab.host(2), lab.host(3)];
  // Its vote comes some 100 ms after its etcd has begun, sooner than somebody sees whom the machine keeps waiting.
  const etcd = await until(
    'it is stopped without a vote',
    async () => {
      await settled(first);
      return stoppedLearner(third, first);
    },
    60_000,
  );
  await Promise.all([first.kill9(), second.kill9()]);
  process.kill(etcd, 'SIGCONT');
  expect(await hasLearner(first)).toBe(true);
  await Promise.all([first.start(), second.start()]);
  await until('it has its vote', async () => (await nodes(first)).host3 === 'Ready Reachable', 40_000);
  await settled(third);
}, 180_000);

test('S1: without a quorum what is known is shown and nothing is changed, and the refusal says what to do', async () => {
  const [first, second, third] = [lab.host(1), lab.host(2), lab.host(3)];
  await Promise.all([second.crash(), third.crash()]);
  await until(
    'it is noticed',
    async () =>
      (await first.docker('info', '--format', '{{.Swarm.Error}}')).includes('1 of 3 managers can be reached'),
    30_000,
  );
  const seen = await nodes(first);
  expect(seen.host2).toContain('Unreachable');
  const refused = await first.docker.try(['node', 'update', '--label-add', 'a=b', 'host1']);
  expect(refused.stderr).toContain('The swarm does not have a leader.');
  expect(refused.stderr).toContain('1 of 3 managers can be reached, 2 are needed');
  expect(refused.stderr).toContain('docker swarm init --force-new-cluster');
  await Promise.all([second.start(), third.start()]);
  await until(
    'it can be changed again',
    async () => (await first.docker.try(['node', 'update', '--label-add', 'a=b', 'host1'])).code === 0,
    30_000,
  );
});

test('S1: three managers become one, and a worker a manager again', async () => {
  const first = lab.host(1);
  await settled(first);
  await first.docker('node', 'demote', 'host2');
  await everybodyIs({ host2: 'Ready' }, first, 30_000);
  await first.docker('node', 'demote', 'host3');
  await everybodyIs({ host1: 'Ready Leader', host2: 'Ready', host3: 'Ready' }, first, 30_000);
  expect((await first.docker.try(['node', 'demote', 'host1'])).stderr).toContain(
    'attempting to demote the last manager of the swarm',
  );
  await isWorker(lab.host(2));
  await first.docker('node', 'promote', 'host2');
  await everybodyIs({ host1: 'Ready Leader', host2: 'Ready Reachable' }, lab.host(2), 30_000);
});

test('S1: a manager that leaves by force does not count as one that is missing', async () => {
  const [first, second] = [lab.host(1), lab.host(2)];
  expect((await second.docker.try(['swarm', 'leave'])).stderr).toContain(
    'You are attempting to leave the swarm on a node that is participating as a manager.',
  );
  await second.docker('swarm', 'leave', '--force');
  await everybodyIs({ host1: 'Ready Leader', host2: 'Down' }, first, 20_000);
  await label(first, 'alone=again');
});

test('S1: where most managers are lost the cluster begins anew with one, and the others come back as workers', async () => {
  const [first, third] = [lab.host(1), lab.host(3)];
  await first.docker('node', 'promote', 'host3');
  await everybodyIs({ host1: 'Ready Leader', host3: 'Ready Reachable' }, first, 30_000);
  await third.crash();
  await until(
    'nothing can be changed',
    async () => (await first.docker.try(['node', 'update', '--label-add', 'c=d', 'host1'])).code !== 0,
    30_000,
  );
  await first.docker('swarm', 'init', '--force-new-cluster');
  await until('it leads', async () => (await nodes(first)).host1 === 'Ready Leader', 30_000);
  await label(first, 'c=d');
  expect(await first.docker('node', 'inspect', '--format', '{{.Spec.Role}}', 'host3')).toBe('worker');
  await third.start();
  await everybodyIs({ host3: 'Ready' }, first, 40_000);
  await isWorker(third);
});

test('S1: a leader that leaves by force hands over first: another one leads at once', async () => {
  const [first, third] = [lab.host(1), lab.host(3)];
  await first.docker('node', 'promote', 'host3');
  await everybodyIs({ host1: 'Ready Leader', host3: 'Ready Reachable' }, third, 30_000);
  const leads = (): number[] =>
    third
      .log()
      .split('\n')
      .filter((line) => line.includes('this manager leads the cluster'))
      .map((line) => (JSON.parse(line) as { time: number }).time);
  const [begun, before] = [Date.now(), leads().length];
  await first.docker('swarm', 'leave', '--force');
  await everybodyIs({ host1: 'Down', host3: 'Ready Leader' }, third, 30_000);
  // Without handing over it would be when the lease is over: ten seconds, of which up to three and a third had passed.
  expect((leads()[before] ?? Number.NaN) - begun).toBeLessThan(6_500);
});
