/** The real etcd: the conformance that the fake one has, and a cluster of three behind doors through its faults. */
import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createAuthority } from '../../src/cluster/ca/authority.js';
import type { DoorTls } from '../../src/cluster/door/contract.js';
import { createEtcdClient } from '../../src/cluster/etcd/client.js';
import type { EtcdFailure } from '../../src/cluster/etcd/contract.js';
import { EtcdError } from '../../src/cluster/etcd/failure.js';
import { adoptEtcd, restartEtcd } from '../../src/cluster/etcd/process.js';
import { follow } from '../../src/cluster/mirror/follow.js';
import { findPrograms } from '../../src/cluster/programs.js';
import { identify, SIGKILL, signal } from '../../src/kernel/processes.js';
import { etcdConformance } from '../support/etcd-conformance.js';
import {
  createMembers,
  DOOR_PORT,
  joinMember,
  type TestMember,
  type TestMembers,
} from '../support/etcd-members.js';
import { until } from '../support/run.js';

const failureOf = async (work: Promise<unknown>): Promise<EtcdFailure['kind']> => {
  try {
    await work;
  } catch (error) {
    if (error instanceof EtcdError) return error.failure.kind;
    throw error;
  }
  return 'refused';
};

etcdConformance('a real one', async () => {
  const members = createMembers();
  const member = await members.start(9, { kind: 'new' });
  return { etcd: member.client, outlast: async () => {}, close: () => members.remove() };
});

const kill9 = async (member: TestMember): Promise<void> => {
  const running = member.process();
  signal(identify(running.pid), SIGKILL);
  await running.ended;
};

describe('three members behind their doors', () => {
  let all: TestMembers;
  let members: TestMember[];
  const get = async (member: TestMember, key: string) =>
    (await member.client.range({ key })).entries[0]?.value;

  beforeAll(async () => {
    all = createMembers();
    const first = await all.start(1, { kind: 'new' });
    await first.client.put('a', '1');
    members = [first, await joinMember(all, first.client, 2), await joinMember(all, first.client, 3)];
  });
  afterAll(() => all?.remove());

  const leaderOf = async (): Promise<number> => {
    const found = await until('there is a leader', async () => {
      for (const [index, member] of members.entries()) {
        const status = await member.client.status().catch(() => undefined);
        if (status?.leader && status.leader === status.memberId) return { index };
      }
      return undefined;
    });
    return found.index;
  };

  test('each has what was written at any, and knows the others', async () => {
    for (const [index, member] of members.entries()) {
      expect(await get(member, 'a')).toBe('1');
      await member.client.put(`of-${index}`, '');
      const known = await member.client.members();
      expect(known.map(({ name, learner }) => `${name} ${learner}`).sort()).toEqual([
        'm1 false',
        'm2 false',
        'm3 false',
      ]);
    }
  });

  test('leadership is handed over', async () => {
    const leader = members[await leaderOf()] as TestMember;
    const other = (await leader.client.members()).find(({ name }) => name !== leader.settings.name);
    if (!other) throw new Error('unreachable');
    await leader.client.handOver(other.id);
    await until('the other leads', async () => (await leader.client.status()).leader === other.id);
  });

  /** How a certificate is received where etcd's peers are. */
  const knock = (as: DoorTls | undefined): Promise<string> =>
    new Promise((resolve) => {
      const own = as ? { key: as.key, cert: as.certificate } : {};
      const socket = connect({ port: DOOR_PORT, host: '127.0.0.1', ca: all.authority.certificate, ...own });
      socket.on('error', () => resolve('refused')).on('close', () => resolve('refused'));
      socket.once('secureConnect', () => socket.write('GET /version HTTP/1.1\r\nHost: x\r\n\r\n'));
      socket.once('data', (data) => {
        resolve(String(data).split('\r\n')[0] ?? '');
        socket.destroy();
      });
    });

  test('etcd’s own side is for managers alone: not for workers, strangers, or who shows nothing', async () => {
    const stranger = { ...all.tls('manager', '127.0.0.1'), ...strangersKey() };
    expect(await knock(members[1]?.tls)).toMatch(/^HTTP\/1.1 200/);
    expect(await knock(all.tls('worker', '127.0.0.5'))).toBe('refused');
    expect(await knock(undefined)).toBe('refused');
    expect(await knock(stranger)).toBe('refused');
  });

  test('the daemon’s death is nothing to it: the next one finds it, by its record or by its arguments', async () => {
    const [member] = members as [TestMember];
    const { settings } = member;
    const { pid, client } = member.process();
    expect(await adoptEtcd(settings)).toMatchObject({ pid, client });
    const record = join(settings.runDirectory, 'etcd.json');
    const written = JSON.parse(readFileSync(record, 'utf8')) as object;
    expect(statSync(record).mode & 0o777).toBe(0o600);
    // Killed between the start and the record of its process id.
    writeFileSync(record, JSON.stringify({ ...written, pid: 0, startTime: '' }));
    expect((await adoptEtcd(settings))?.pid).toBe(pid);
    // The number has become a stranger's.
    writeFileSync(record, JSON.stringify({ ...written, pid: process.pid, startTime: '1' }));
    expect(await adoptEtcd(settings)).toBeUndefined();
    writeFileSync(record, JSON.stringify(written));
  });

  test('other authorities: a restart, during which the others go on', async () => {
    const next = createAuthority(Date.now());
    for (const [index, member] of members.entries()) {
      writeFileSync(member.settings.files.trust, all.authority.certificate + next.certificate);
      const other = members[(index + 1) % 3] as TestMember;
      await member.process().stop();
      await until(
        'the others write',
        () => other.client.put('during', String(index)).catch(() => undefined),
        20_000,
      );
      await member.start({ kind: 'again' });
      await until(
        'it is back',
        async () => (await get(member, 'during').catch(() => '')) === String(index),
        20_000,
      );
    }
  });

  test('the leader killed: the others write on, and it comes back', async () => {
    const index = await leaderOf();
    const [leader, other] = [members[index], members[(index + 1) % 3]] as [TestMember, TestMember];
    await kill9(leader);
    await until('another leads', () => other.client.put('b', '2').catch(() => undefined), 20_000);
    await leader.start({ kind: 'again' });
    await until(
      'it has what was written',
      async () => (await get(leader, 'b').catch(() => '')) === '2',
      20_000,
    );
  });

  test('quorum lost: writes and exact reads are refused at once, old reads and the status answered, watches told; and back', async () => {
    const [first, second, third] = members as [TestMember, TestMember, TestMember];
    const watched = (async () => {
      const { revision } = await first.client.range({ key: 'b' });
      for await (const _ of first.client.watch({
        prefix: 'none',
        from: revision + 1,
        signal: new AbortController().signal,
      }));
    })();
    const watchFailure = failureOf(watched);
    await Promise.all([kill9(second), kill9(third)]);
    await until('it sees no leader', async () => (await first.client.status()).leader === undefined, 20_000);
    const begun = performance.now();
    expect(await failureOf(first.client.put('c', '3'))).toBe('no-leader');
    expect(await failureOf(first.client.range({ key: 'a' }))).toBe('no-leader');
    expect(performance.now() - begun).toBeLessThan(3_000); // etcd itself would take 7 s for each
    expect((await first.client.range({ key: 'a', serializable: true })).entries[0]?.value).toBe('1');
    expect(['no-leader', 'unavailable']).toContain(await watchFailure);
    await second.start({ kind: 'again' });
    await until('it writes again', () => first.client.put('c', '3').catch(() => undefined), 20_000);
  });

  test('the only survivor is made a cluster of one, with all that was written, after a copy', async () => {
    const [first, second] = members as [TestMember, TestMember];
    const copy = join(all.base, 'copy.db');
    await first.client.snapshot(copy);
    expect(statSync(copy).size).toBeGreaterThan(16_000);
    expect(statSync(copy).mode & 0o777).toBe(0o600);
    await second.process().stop();
    await first.forceNew();
    expect(
      statSync(join(`${first.settings.dataDirectory}.before`, 'member', 'snap', 'db')).size,
    ).toBeGreaterThan(0);
    await until('it writes', () => first.client.put('d', '4').catch(() => undefined), 20_000);
    expect((await first.client.members()).map(({ name }) => name)).toEqual(['m1']);
    expect(await get(first, 'a')).toBe('1');
    expect(await get(first, 'c')).toBe('3');
  });

  test('a member whose data is gone does not found a cluster unasked', async () => {
    const third = members[2] as TestMember;
    rmSync(third.settings.dataDirectory, { recursive: true });
    await expect(third.start({ kind: 'again' })).rejects.toThrow('data is gone');
  });
});

/** A key and certificate for which nobody here vouches. */
const strangersKey = () => {
  const other = createMembers();
  const { key, certificate } = other.tls('manager', '127.0.0.1');
  void other.remove();
  return { key, certificate };
};

test('a full store says so, and takes writes again when there is room', async () => {
  const all = createMembers();
  try {
    const { client } = await all.start(7, { kind: 'new' }, { quota: 2 * 1024 * 1024 });
    const big = 'x'.repeat(200_000);
    let failure: EtcdFailure['kind'] | undefined;
    for (let i = 0; i < 50 && !failure; i += 1) {
      const kind = await client.put('big', big).then(
        () => undefined,
        (error: EtcdError) => error.failure.kind,
      );
      failure = kind;
    }
    expect(failure).toBe('no-space');
    expect((await client.status()).alarms).toEqual(['no-space']);
    const { revision } = await client.delete({ key: 'big' });
    await client.compact(revision);
    await client.defragment();
    await client.disarm();
    await client.put('small', '');
    expect((await client.status()).alarms).toEqual([]);
  } finally {
    await all.remove();
  }
});

test('S2: a store that was emptied is followed as it is now, though its revisions begin anew', async () => {
  const all = createMembers();
  const over = new AbortController();
  try {
    const member = await all.start(5, { kind: 'new' });
    const { client: etcd } = member;
    for (let i = 0; i < 5; i += 1) await etcd.put(`/p/${i}`, 'old');
    const { entries, ready } = follow({
      ...{ etcd, prefix: '/p/', signal: over.signal },
      changed: () => {},
      heard: () => {},
    });
    await ready;
    await member.process().stop();
    rmSync(member.settings.dataDirectory, { recursive: true });
    await member.start({ kind: 'new' });
    const put = () => etcd.put('/p/new', 'new').then(() => true);
    await until('it takes a write', () => put().catch(() => false));
    await until('only that is shown', () => [...entries.keys()].join() === 'new');
  } finally {
    over.abort();
    await all.remove();
  }
});

test('S2: a watch whose path was forgotten on the way ends, though the store answers by another one', async () => {
  let port: number | undefined;
  const server = createServer(({ url, socket }, answer) => {
    if (url !== '/v3/watch') return answer.end('{"header":{"revision":"1"}}');
    port = socket.remotePort;
    answer.write('{"result":{"header":{"revision":"1"},"created":true}}\n');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const nft = (rules: string): void => void execFileSync('nft', ['-f', '-'], { input: rules });
  const etcd = createEtcdClient({
    endpoints: [{ kind: 'tcp', host: '127.0.0.1', port: (server.address() as AddressInfo).port }],
    limits: { quietMs: 1_000 },
  });
  try {
    const { signal } = new AbortController();
    const ended = failureOf(etcd.watch({ prefix: '', from: 2, signal })[Symbol.asyncIterator]().next());
    await until('it watches', () => port !== undefined);
    nft(
      `table inet forgets { chain input { type filter hook input priority 0; tcp dport ${port} drop; tcp sport ${port} drop; }; }`,
    );
    expect((await etcd.range({ key: 'a' })).revision).toBe(1);
    expect(await ended).toBe('unavailable');
  } finally {
    nft('delete table inet forgets');
    etcd.close();
    server.closeAllConnections();
    server.close();
  }
}, 30_000);

test('S2: a watch whose host has died without a word ends, and what is asked of it meanwhile', async () => {
  let port = 0;
  let watched = false;
  const server = createServer(({ url }, answer) => {
    if (url !== '/v3/watch') return answer.end('{"header":{"revision":"1"}}');
    watched = true;
    answer.write('{"result":{"header":{"revision":"1"},"created":true}}\n');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  port = (server.address() as AddressInfo).port;
  const nft = (rules: string): void => void execFileSync('nft', ['-f', '-'], { input: rules });
  // The kernel's own keepalive is left as it is: who asks is the watch.
  const etcd = createEtcdClient({
    endpoints: [{ kind: 'tcp', host: '127.0.0.1', port }],
    limits: { answerMs: 1_000 },
    watchQuietMs: 1_000,
  });
  try {
    const { signal } = new AbortController();
    const ended = failureOf(etcd.watch({ prefix: '', from: 2, signal })[Symbol.asyncIterator]().next());
    await until('it watches', () => watched);
    nft(
      `table inet pulled { chain input { type filter hook input priority 0; tcp dport ${port} drop; tcp sport ${port} drop; }; }`,
    );
    const begun = performance.now();
    expect(await failureOf(etcd.range({ key: 'a' }))).toBe('unavailable');
    expect(await ended).toBe('unavailable');
    expect(performance.now() - begun).toBeLessThan(8_000); // the kernel alone gives up after 10 s, and minutes
  } finally {
    nft('delete table inet pulled');
    etcd.close();
    server.closeAllConnections();
    server.close();
  }
}, 30_000);

test('one that does not come up is told of with its own last words', async () => {
  const all = createMembers();
  try {
    const member = await all.start(6, { kind: 'new' });
    const { etcd } = findPrograms();
    const broken = { ...member.settings, files: { ...member.settings.files, key: '/nonexistent' } };
    await expect(restartEtcd(etcd, member.process(), broken)).rejects.toThrow(
      /etcd ended when it was started: .*nonexistent/,
    );
    const client = createEtcdClient({ endpoints: [member.process().client] });
    expect(await failureOf(client.put('a', ''))).toBe('unavailable');
    client.close();
  } finally {
    await all.remove();
  }
});
