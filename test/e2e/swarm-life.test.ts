/** S1: the life of a cluster, by the real client: one manager, a worker, what each may, and what is left afterwards. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Lab, startLab } from '../support/lab.js';
import { until } from '../support/run.js';

let lab: Lab;
beforeAll(async () => {
  lab = await startLab(2);
});
afterAll(async () => {
  await lab?.stop();
});

const nodes = async (): Promise<Readonly<Record<string, string>>> => {
  const lines = (
    await lab
      .host(1)
      .docker('node', 'ls', '--format', '{{.Hostname}} {{.Status}} {{.Availability}} {{.ManagerStatus}}')
  ).split('\n');
  return Object.fromEntries(
    lines.map((line) => [line.split(' ')[0], line.split(' ').slice(1).join(' ').trim()]),
  );
};

describe('S1: alone', () => {
  test('S1: a daemon in no swarm says so', async () => {
    const { docker } = lab.host(1);
    expect(await docker('info', '--format', '{{.Swarm.LocalNodeState}}')).toBe('inactive');
    expect((await docker.try(['node', 'ls'])).stderr).toContain(
      'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.',
    );
    expect((await docker.try(['swarm', 'leave'])).stderr).toContain('This node is not part of a swarm');
  });

  test('S1: swarm init makes a manager that leads, and says how to join', async () => {
    const { docker, ipv4 } = lab.host(1);
    const said = await docker('swarm', 'init', '--dispatcher-heartbeat', '1s', '--advertise-addr', ipv4);
    expect(said).toMatch(/Swarm initialized: current node \([0-9a-z]{25}\) is now a manager\./);
    expect(said).toMatch(
      new RegExp(`docker swarm join --token SWMTKN-1-[0-9a-z]{50}-[0-9a-z]{25} ${ipv4}:2377`),
    );
    expect((await nodes()).host1).toBe('Ready Active Leader');
    const info = JSON.parse(await docker('info', '--format', '{{json .Swarm}}'));
    expect(info).toMatchObject({
      LocalNodeState: 'active',
      ControlAvailable: true,
      NodeAddr: ipv4,
      Nodes: 1,
      Managers: 1,
      Error: '',
      RemoteManagers: [{ NodeID: info.NodeID, Addr: `${ipv4}:2377` }],
    });
    expect(await docker('info')).toContain('Is Manager: true');
    expect((await docker.try(['swarm', 'init'])).stderr).toContain(
      'This node is already part of a swarm. Use "docker swarm leave" to leave this swarm and join another one.',
    );
    expect((await docker.try(['swarm', 'leave'])).stderr).toContain(
      'Removing the last manager erases all current state of the swarm. Use `--force` to ignore this message.',
    );
  });

  test('S1: a daemon’s restart, and its death, keep the swarm and go on with the same etcd', async () => {
    const first = lab.host(1);
    const id = await first.docker('info', '--format', '{{.Swarm.NodeID}}');
    const etcd = await first.host(`cat ${first.execRoot}/swarm/etcd/etcd.json`);
    await first.restart();
    await until('the node is ready again', async () => (await nodes()).host1 === 'Ready Active Leader');
    await first.kill9();
    await first.start();
    await until('the node is ready again', async () => (await nodes()).host1 === 'Ready Active Leader');
    expect(await first.docker('info', '--format', '{{.Swarm.NodeID}}')).toBe(id);
    expect(await first.host(`cat ${first.execRoot}/swarm/etcd/etcd.json`)).toBe(etcd);
  });

  test('S1: what is on the disk is root’s alone', async () => {
    const { host, dataRoot } = lab.host(1);
    expect(await host(`find ${dataRoot}/swarm -maxdepth 1 -type f -perm /077`)).toBe('');
    expect(await host(`stat -c %a ${dataRoot}/swarm`)).toBe('700');
  });
});

const tokenOf = (role: string): Promise<string> => lab.host(1).docker('swarm', 'join-token', '-q', role);

describe('S1: two', () => {
  test('S1: who has no token, or another cluster’s, does not join', async () => {
    const [first, second] = [lab.host(1), lab.host(2)];
    const token = await tokenOf('worker');
    const wrong = await second.docker.try([
      'swarm',
      'join',
      '--token',
      token.replace(/.{25}$/, '0'.repeat(25)),
      first.ipv4,
    ]);
    expect(wrong.stderr).toContain('A valid join token is necessary to join this cluster');
    const other = await second.docker.try([
      'swarm',
      'join',
      '--token',
      token.replace(/1-.{50}/, `1-${'0'.repeat(49)}1`),
      first.ipv4,
    ]);
    expect(other.stderr).toContain('remote CA does not match fingerprint');
    expect(await second.docker('info', '--format', '{{.Swarm.LocalNodeState}}')).toBe('inactive');
  });

  test('S1: a worker joins, is seen, and manages nothing', async () => {
    const [first, second] = [lab.host(1), lab.host(2)];
    const said = await second.docker(
      'swarm',
      'join',
      '--token',
      await tokenOf('worker'),
      `${first.ipv4}:2377`,
    );
    expect(said).toBe('This node joined a swarm as a worker.');
    await until('both are ready', async () => {
      const now = await nodes();
      return now.host1 === 'Ready Active Leader' && now.host2 === 'Ready Active';
    });
    expect((await second.docker.try(['node', 'ls'])).stderr).toContain(
      "This node is not a swarm manager. Worker nodes can't be used to view or modify cluster state.",
    );
    const inspected = JSON.parse(await first.docker('node', 'inspect', 'host2'))[0];
    expect(inspected).toMatchObject({
      Spec: { Role: 'worker', Availability: 'active', Labels: {} },
      Description: { Hostname: 'host2', Platform: { Architecture: 'x86_64', OS: 'linux' } },
      Status: { State: 'ready', Addr: second.ipv4 },
    });
    expect(await first.docker('node', 'inspect', '--pretty', 'host2')).toContain('Hostname:');
  });

  test('S1: labels and availability, and a change made from an old version', async () => {
    const { docker, api } = lab.host(1);
    await docker('node', 'update', '--label-add', 'disk=ssd', '--availability', 'drain', 'host2');
    const node = JSON.parse(await docker('node', 'inspect', 'host2'))[0];
    expect(node.Spec).toMatchObject({ Labels: { disk: 'ssd' }, Availability: 'drain' });
    const stale = await api('POST', `/nodes/${node.ID}/update?version=${node.Version.Index - 1}`, node.Spec);
    expect(stale).toMatchObject({ status: 500 });
    expect(stale.text).toContain('rpc error: code = Unknown desc = update out of sequence');
    await docker('node', 'update', '--availability', 'active', 'host2');
  });

  test('S1: a worker that dies is down, and ready when it is back', async () => {
    const second = lab.host(2);
    await second.kill9();
    await until('it is down', async () => (await nodes()).host2 === 'Down Active', 40_000);
    await second.start();
    await until('it is ready', async () => (await nodes()).host2 === 'Ready Active');
  });

  test('S1: a node that is there is not removed; one that has left is', async () => {
    const [first, second] = [lab.host(1), lab.host(2)];
    expect((await first.docker.try(['node', 'rm', 'host2'])).stderr).toMatch(
      /is not down and can't be removed/,
    );
    expect(await second.docker('swarm', 'leave')).toBe('Node left the swarm.');
    await until('it is down', async () => (await nodes()).host2 === 'Down Active');
    await first.docker('node', 'rm', 'host2');
    expect(Object.keys(await nodes())).toEqual(['host1']);
    expect(await second.docker('info', '--format', '{{.Swarm.LocalNodeState}}')).toBe('inactive');
  });

  test('S1: events tell of nodes, for the whole swarm', async () => {
    const { docker } = lab.host(1);
    const now = String(Math.ceil(Date.now() / 1000));
    const told = await docker(
      ...['events', '--since', '1', '--until', now, '--filter', 'scope=swarm'],
      ...[
        '--format',
        '{{.Type}} {{.Action}} {{.Actor.Attributes.name}} {{index .Actor.Attributes "state.new"}}',
      ],
    );
    const lines = told.split('\n').map((line) => line.trim());
    for (const line of [
      'node create',
      'node update host2 ready',
      'node update host2 down',
      'node remove host2',
    ])
      expect(lines).toContain(line);
  });

  test('S1: a rotated token is of no use any more', async () => {
    const [first, second] = [lab.host(1), lab.host(2)];
    const old = await tokenOf('worker');
    const fresh = await first.docker('swarm', 'join-token', '--rotate', '-q', 'worker');
    expect(fresh).not.toBe(old);
    const refused = await second.docker.try(['swarm', 'join', '--token', old, first.ipv4]);
    expect(refused.stderr).toContain('A valid join token is necessary to join this cluster');
  });

  test('S1: swarm update changes what it says and keeps the rest', async () => {
    const { docker } = lab.host(1);
    await docker('swarm', 'update', '--task-history-limit', '3');
    const { Spec } = JSON.parse(await docker('info', '--format', '{{json .Swarm.Cluster}}'));
    expect(Spec).toMatchObject({
      Orchestration: { TaskHistoryRetentionLimit: 3 },
      Dispatcher: { HeartbeatPeriod: 1_000_000_000 },
    });
  });

  test('S1: locked managers: nothing opens a restarted one but the key', async () => {
    const first = lab.host(1);
    const { docker, dataRoot } = first;
    const said = await docker('swarm', 'update', '--autolock=true');
    const key = /SWMKEY-1-[A-Za-z0-9+/]{43}/.exec(said)?.[0] ?? '';
    expect(key).not.toBe('');
    expect(await docker('swarm', 'unlock-key', '-q')).toBe(key);
    expect(await first.host(`ls ${dataRoot}/swarm`)).not.toMatch(/\.key$/m);
    expect((await docker.try(['swarm', 'unlock'], { input: `${key}\n` })).stderr).toContain(
      'swarm is not locked',
    );
    await first.kill9();
    await first.start();
    expect(await docker('info', '--format', '{{.Swarm.LocalNodeState}}')).toBe('locked');
    expect((await docker.try(['node', 'ls'])).stderr).toContain(
      'Swarm is encrypted and needs to be unlocked before it can be used. Please use "docker swarm unlock" to unlock it.',
    );
    const wrong = `SWMKEY-1-${'A'.repeat(43)}`;
    expect((await docker.try(['swarm', 'unlock'], { input: `${wrong}\n` })).stderr).toContain(
      'invalid key provided',
    );
    expect((await docker.try(['swarm', 'unlock'], { input: `${key}\n` })).code).toBe(0);
    await until('it is a manager again', async () => (await nodes()).host1 === 'Ready Active Leader');
    expect(await docker('swarm', 'unlock-key', '--rotate', '-q')).not.toBe(key);
    await docker('swarm', 'update', '--autolock=false');
    await first.restart();
    await until('it is not locked any more', async () => (await nodes()).host1 === 'Ready Active Leader');
  });

  test('S1: the last manager leaves by force, and nothing is left', async () => {
    const { docker, host, dataRoot } = lab.host(1);
    expect(await docker('swarm', 'leave', '--force')).toBe('Node left the swarm.');
    expect(await docker('info', '--format', '{{.Swarm.LocalNodeState}}')).toBe('inactive');
    expect(await host(`ls ${dataRoot}/swarm 2>&1 || true`)).toContain('No such file');
    expect(await lab.host(1).host('ss -Hlnt sport = :2377')).toBe('');
  });
});

test('S1: a cluster of IPv6 addresses', async () => {
  const [first, second] = [lab.host(1), lab.host(2)];
  await first.docker('swarm', 'init', '--advertise-addr', first.ipv6);
  const token = await tokenOf('worker');
  await second.docker(
    'swarm',
    'join',
    '--token',
    token,
    '--advertise-addr',
    second.ipv6,
    `[${first.ipv6}]:2377`,
  );
  await until('both are ready', async () => {
    const now = await nodes();
    return now.host1 === 'Ready Active Leader' && now.host2 === 'Ready Active';
  });
  expect(await first.docker('node', 'inspect', '--format', '{{.Status.Addr}}', 'host2')).toBe(second.ipv6);
});
