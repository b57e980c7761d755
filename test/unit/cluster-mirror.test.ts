/** A manager's copy of the cluster, who leads, and what hangs on leases: against etcd in memory. */
import { afterEach, describe, expect, test, vi } from 'vitest';
import { ClusterState } from '../../src/cluster/control/state.js';
import type { Etcd, EtcdFailure, LeaseId } from '../../src/cluster/etcd/contract.js';
import { holderIn, type Office, runForOffice } from '../../src/cluster/lead.js';
import { lead } from '../../src/cluster/life/leading.js';
import { createRegister } from '../../src/cluster/life/register.js';
import { type Followed, follow, type KeyChange } from '../../src/cluster/mirror/follow.js';
import type { Mirror } from '../../src/cluster/mirror/index.js';
import { createFakeEtcd } from '../support/fake-etcd.js';
import { until } from '../support/run.js';

const over: AbortController[] = [];
const signal = (): AbortSignal => {
  const controller = new AbortController();
  over.push(controller);
  return controller.signal;
};
afterEach(() => {
  for (const controller of over.splice(0)) controller.abort();
});

interface Copy {
  readonly followed: Followed;
  readonly changes: KeyChange[];
  readonly heard: (Error | undefined)[];
}

const copy = (etcd: Etcd): Copy => {
  const changes: KeyChange[] = [];
  const heard: (Error | undefined)[] = [];
  const followed = follow({
    etcd,
    prefix: '/p/',
    signal: signal(),
    changed: (some) => changes.push(...some),
    heard: (silent) => heard.push(silent),
    pauseMs: 1,
  });
  return { followed, changes, heard };
};

const shown = ({ followed }: Copy): Record<string, string> =>
  Object.fromEntries([...followed.entries].map(([key, { value }]) => [key, value]));

test('the mirror has what was there, over several pages, and what comes', async () => {
  const etcd = createFakeEtcd({ now: () => 0 }).connect();
  for (let i = 0; i < 1_200; i += 1) await etcd.put(`/p/${i}`, 'x');
  await etcd.put('/other', 'x');
  const mirror = copy(etcd);
  await mirror.followed.ready;
  expect(mirror.followed.entries.size).toBe(1_200);
  const revision = await etcd.put('/p/new', 'y');
  await mirror.followed.reached(revision);
  expect(shown(mirror).new).toBe('y');
  const { revision: gone } = await etcd.delete({ key: '/p/new' });
  await mirror.followed.reached(gone);
  expect(mirror.followed.entries.has('new')).toBe(false);
  expect(mirror.changes.slice(-2).map(({ before, after }) => [before?.value, after?.value])).toEqual([
    [undefined, 'y'],
    ['y', undefined],
  ]);
});

test('what was missed while the store was away is told as it differs, also where its history is gone', async () => {
  let failure: EtcdFailure | undefined;
  const fake = createFakeEtcd({ now: () => 0 });
  const etcd = fake.connect();
  await etcd.put('/p/stays', '1');
  await etcd.put('/p/goes', '1');
  await etcd.put('/p/changes', '1');
  const mirror = copy(fake.connect(() => failure));
  await mirror.followed.ready;
  failure = { kind: 'no-leader' };
  fake.expire();
  await until('it is silent', () => mirror.followed.silentSince !== undefined);
  expect(shown(mirror)).toEqual({ stays: '1', goes: '1', changes: '1' });
  await etcd.delete({ key: '/p/goes' });
  await etcd.put('/p/changes', '2');
  const revision = await etcd.put('/p/comes', '1');
  await etcd.compact(revision);
  mirror.changes.length = 0;
  failure = undefined;
  await mirror.followed.reached(revision);
  expect(shown(mirror)).toEqual({ stays: '1', changes: '2', comes: '1' });
  expect(mirror.changes.map(({ key }) => key).sort()).toEqual(['changes', 'comes', 'goes']);
  await until('it is heard', () => mirror.followed.silentSince === undefined);
  expect(mirror.heard.map((error) => error !== undefined)).toEqual([true, false]);
});

test.each([
  ['less', 0],
  ['more', 20],
])('S2: a store that was set back is read again, where %s was written to it since', async (_, written) => {
  let failure: EtcdFailure | undefined;
  const stores = [createFakeEtcd({ now: () => 0 }), createFakeEtcd({ now: () => 0 })] as const;
  const [before, after] = [stores[0].connect(() => failure), stores[1].connect(() => undefined)];
  for (let i = 0; i < 10; i += 1) await before.put(`/p/${i}`, 'x');
  await after.put('/p/0', 'y');
  for (let i = 0; i < written; i += 1) await after.put('/other', String(i));
  let etcd = before;
  const mirror = copy({
    ...before,
    range: (request) => etcd.range(request),
    watch: (request) => etcd.watch(request),
  });
  await mirror.followed.ready;
  expect(mirror.followed.entries.size).toBe(10);
  failure = { kind: 'unavailable', sent: false };
  stores[0].expire();
  await until('it is silent', () => mirror.followed.silentSince !== undefined);
  etcd = after;
  await until('it has what is there', () => mirror.followed.entries.size === 1);
  expect(shown(mirror)).toEqual({ 0: 'y' });
  await after.put('/p/new', 'z');
  await until('it is told what comes', () => shown(mirror).new === 'z');
});

test('what a member that is behind still has is no news', async () => {
  let failure: EtcdFailure | undefined;
  let behind = false;
  const fake = createFakeEtcd({ now: () => 0 });
  const etcd = fake.connect(() => failure);
  const old = await etcd.put('/p/key', 'old');
  const mirror = copy({
    ...etcd,
    range: (request) =>
      behind && request.serializable
        ? Promise.resolve({ revision: old, entries: [], more: false })
        : etcd.range(request),
  });
  await mirror.followed.ready;
  await etcd.compact(await etcd.put('/p/key', 'new'));
  await until('it has the change', () => shown(mirror).key === 'new');
  behind = true;
  failure = { kind: 'no-leader' };
  fake.expire();
  await until('it is silent', () => mirror.followed.silentSince !== undefined);
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(shown(mirror)).toEqual({ key: 'new' });
  failure = undefined;
  const next = await etcd.put('/p/key', 'newer');
  await mirror.followed.reached(next);
  expect(shown(mirror)).toEqual({ key: 'newer' });
});

interface Candidate {
  readonly office: Office;
  leads: boolean;
  /** how often it began to, or ceased */
  changes: number;
  readonly lease: LeaseId;
}

/** Sees who leads by its own mirror, as managers do. */
const candidate = async (etcd: Etcd, node: string): Promise<Candidate> => {
  const state = { leads: false, changes: 0 };
  const office = runForOffice({
    etcd,
    key: '/p/leader',
    node,
    leads: (leads) => {
      state.leads = leads;
      state.changes += 1;
    },
    signal: signal(),
  });
  const look = (): void => {
    const entry = followed.entries.get('leader');
    office.seen(entry && holderIn(entry));
  };
  const followed: Followed = follow({
    etcd,
    prefix: '/p/',
    signal: signal(),
    changed: look,
    heard: () => {},
    pauseMs: 1,
  });
  await followed.ready;
  look();
  const { id } = await etcd.grantLease(10);
  office.stand(id);
  return Object.assign(state, { office, lease: id });
};

test('one leads; when its lease ends another one does, and the former one’s writes are refused', async () => {
  let clock = 0;
  const fake = createFakeEtcd({ now: () => clock });
  const a = await candidate(fake.connect(), 'a');
  await until('a leads', () => a.leads);
  const etcd = fake.connect();
  clock = 5_000;
  const b = await candidate(etcd, 'b');
  expect(b.leads).toBe(false);
  const fence = a.office.fence();
  expect(fence).toBeDefined();
  if (!fence) return;
  const write = { compare: [fence], success: [{ do: 'put', key: '/p/x', value: 'a' }] } as const;
  expect((await etcd.txn(write)).succeeded).toBe(true);
  clock = 11_000;
  fake.expire();
  await until('b leads', () => b.leads && !a.leads);
  expect((await etcd.txn(write)).succeeded).toBe(false);
  expect(a.office.fence()).toBeUndefined();
});

describe('S1: a leader that gets another lease', () => {
  const begin = async () => {
    const fake = createFakeEtcd({ now: () => 0 });
    const etcd = fake.connect();
    let failure: EtcdFailure | undefined;
    const a = await candidate(
      fake.connect((operation) => (operation === 'txn' ? failure : undefined)),
      'a',
    );
    await until('a leads', () => a.leads);
    const key = () => fake.entries().find((entry) => entry.key === '/p/leader');
    const fail = (as: EtcdFailure | undefined): void => {
      failure = as;
    };
    return { etcd, a, key, fail, fence: a.office.fence(), next: (await etcd.grantLease(10)).id };
  };

  test('goes on leading: the key hangs on that one, and its fence holds', async () => {
    const { etcd, a, key, fence, next } = await begin();
    const b = await candidate(etcd, 'b');
    a.office.stand(next);
    await until('it hangs on the next', () => key()?.lease === next);
    a.office.ended(a.lease);
    await etcd.revokeLease(a.lease);
    await etcd.put('/p/x', 'all have seen what was before');
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect([a.leads, a.changes, b.changes]).toEqual([true, 1, 0]);
    expect(a.office.fence()).toEqual(fence);
    expect(key()?.createRevision).toBe(fence?.createRevision);
  });

  test('leads no more where another one has the key by now, though nobody told, and leaves it to that one', async () => {
    const etcd = createFakeEtcd({ now: () => 0 }).connect();
    const told: boolean[] = [];
    const office = runForOffice({
      ...{ etcd, key: '/p/leader', node: 'a', signal: signal() },
      leads: (leads) => void told.push(leads),
    });
    office.seen(undefined);
    office.stand((await etcd.grantLease(10)).id);
    await until('it leads', () => told.length === 1);
    await etcd.delete({ key: '/p/leader' });
    await etcd.put('/p/leader', 'b');
    const taken = (await etcd.range({ key: '/p/leader' })).entries;
    office.stand((await etcd.grantLease(10)).id);
    await until('it leads no more', () => told.length === 2);
    await new Promise((resolve) => setTimeout(resolve, 600));
    expect((await etcd.range({ key: '/p/leader' })).entries).toEqual(taken);
    expect([told, office.fence()]).toEqual([[true, false], undefined]);
  });

  test('leads no more where it could not write so before the former ended, and again when it can', async () => {
    const { a, key, fail, fence, next } = await begin();
    fail({ kind: 'unavailable', sent: false });
    a.office.stand(next);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(a.leads).toBe(true);
    a.office.ended(a.lease);
    expect([a.leads, a.office.fence()]).toEqual([false, undefined]);
    fail(undefined); // and etcd has not let the former go yet
    await until('it leads again', () => a.leads);
    expect([key()?.lease, a.office.fence()]).toEqual([next, fence]);
  });

  test('takes what its former daemon left for its own, by its own lease', async () => {
    const { etcd, key, fence } = await begin();
    for (const controller of over.splice(0)) controller.abort();
    const again = await candidate(etcd, 'a');
    await until('it leads', () => again.leads);
    expect([key()?.lease, again.office.fence()]).toEqual([again.lease, fence]);
  });
});

test('what hangs on a lease is written with the next one again, and another manager’s is left alone', async () => {
  const fake = createFakeEtcd({ now: () => 0 });
  const etcd = fake.connect();
  const value = async (key: string): Promise<string | undefined> =>
    (await etcd.range({ key })).entries[0]?.value;
  const register = createRegister(etcd, '/p/', signal());
  const first = (await etcd.grantLease(10)).id;
  register.lease(first);
  await register.set('session/n', 'mine');
  await register.keep('node-state/n', 'said');
  expect(await value('/p/session/n')).toBe('mine');
  register.lease(undefined);
  await etcd.revokeLease(first);
  expect(await value('/p/session/n')).toBeUndefined();
  expect(await value('/p/node-state/n')).toBe('said');
  register.lease((await etcd.grantLease(10)).id);
  await until('it is there again', async () => (await value('/p/session/n')) === 'mine');
  await etcd.put('/p/session/n', 'another’s');
  register.lease((await etcd.grantLease(10)).id);
  await register.set('manager/m', 'is written behind it');
  expect(await value('/p/session/n')).toBe('another’s');
  await register.set('session/n', undefined);
  expect(await value('/p/session/n')).toBe('another’s');
});

test('S1: a watch that keeps back what it should tell is noticed, and everything is read again', async () => {
  const store = createFakeEtcd().connect();
  const told: string[] = [];
  let overtaken = 0;
  const ended = signal();
  const followed = follow({
    etcd: {
      range: store.range,
      async *watch(request) {
        await new Promise((resolve) => request.signal.addEventListener('abort', resolve, { once: true }));
      },
    },
    prefix: '/p/',
    signal: ended,
    changed: (changes) => told.push(...changes.map(({ key }) => key)),
    heard: () => {},
    overtaken: () => {
      overtaken += 1;
    },
    lookMs: 10,
    lateMs: 10,
  });
  await followed.ready;
  await store.put('/others/a', '1');
  await until('the revision is followed', () => followed.revision > 1);
  expect(overtaken).toBe(0); // what others write is nothing that it should have told
  await store.put('/p/b', '1');
  await until('it is told', () => told.includes('b'));
  expect(overtaken).toBe(1);
});

test.each(['late', 'never'])(
  'S1: who has written by one manager reads it by another, whose watch tells it %s',
  async (when) => {
    const store = createFakeEtcd().connect();
    const followed = follow({
      etcd: {
        range: store.range,
        async *watch(request) {
          if (when === 'never')
            await new Promise((resolve) => request.signal.addEventListener('abort', resolve, { once: true }));
          for await (const batch of store.watch(request)) {
            await new Promise((resolve) => setTimeout(resolve, 50));
            yield batch;
          }
        },
      },
      ...{ prefix: '/p/', signal: signal(), changed: () => {}, heard: () => {}, pauseMs: 1 },
      lateMs: when === 'never' ? 20 : 5_000,
    });
    await followed.ready;
    for (const value of ['1', '2']) {
      await store.put('/p/a', value);
      await followed.current();
      expect(followed.entries.get('a')?.value).toBe(value);
    }
  },
);

test('S1: where the store does not answer, what is known is read in a moment', async () => {
  const store = createFakeEtcd().connect();
  let answers = true;
  const followed = follow({
    etcd: {
      range: (request) => (answers ? store.range(request) : new Promise(() => {})),
      watch: store.watch,
    },
    ...{ prefix: '/p/', signal: signal(), changed: () => {}, heard: () => {}, lateMs: 20 },
  });
  await store.put('/p/a', '1');
  await until('it is read', () => followed.entries.has('a'));
  answers = false;
  await followed.current();
  expect(followed.entries.get('a')?.value).toBe('1');
});

/** How often a leader has decided while something changed each 20 ms for two seconds. */
const passesOf = async (from: number): Promise<number> => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  try {
    let passes = 0;
    const mirror: Partial<Mirror> = {
      prefix: '/p/',
      state: new ClusterState(0, new Set()),
      get members() {
        passes += 1;
        return new Map();
      },
    };
    const begun = performance.now();
    const { changed } = lead({
      mirror: mirror as Mirror, // all of it that is read where there are no managers to be dismissed
      ...{ etcd: undefined as never, store: undefined as never }, // nothing is written
      nodeId: 'n',
      now: () => performance.now() - begun,
      log: { debug() {}, info() {}, warn() {}, error() {} },
      signal: signal(),
      fence: () => ({ key: '/p/leader', createRevision: 1 }),
      from,
      succession: async () => {},
    });
    for (let i = 0; i < 100; i += 1) {
      changed();
      await vi.advanceTimersByTimeAsync(20);
    }
    return passes;
  } finally {
    vi.useRealTimers();
  }
};

test('S3: the leader decides however often something changes', async () => {
  expect(await passesOf(0)).toBeGreaterThan(10);
});

test('S1: the leader of a cluster that begins anew hears before it decides', async () => {
  expect(await passesOf(1_900)).toBeGreaterThan(0);
  expect(await passesOf(1_900)).toBeLessThan(5);
  expect(await passesOf(2_100)).toBe(0);
});
