/** The fake etcd is one, and fails as told. */
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import type { Etcd, EtcdFailure, LeaseId } from '../../src/cluster/etcd/contract.js';
import { EtcdError } from '../../src/cluster/etcd/failure.js';
import { holdLease } from '../../src/cluster/etcd/lease.js';
import { runForOffice } from '../../src/cluster/lead.js';
import { createRegister } from '../../src/cluster/life/register.js';
import { etcdConformance } from '../support/etcd-conformance.js';
import { createFakeEtcd } from '../support/fake-etcd.js';
import { until } from '../support/run.js';

etcdConformance('the fake', async () => {
  let clock = 0;
  const fake = createFakeEtcd({ now: () => clock });
  return {
    etcd: fake.connect(),
    outlast: async () => {
      clock += 1_001;
      fake.expire();
    },
    close: async () => {},
  };
});

test('a client that is cut off fails, others go on; what was sent took effect', async () => {
  let failure: EtcdFailure | undefined;
  const fake = createFakeEtcd();
  const [cut, other] = [fake.connect(() => failure), fake.connect()];
  failure = { kind: 'unavailable', sent: false };
  await expect(cut.put('a', '')).rejects.toThrow(EtcdError);
  failure = { kind: 'unavailable', sent: true };
  await expect(cut.put('b', '')).rejects.toThrow(EtcdError);
  await other.put('c', '');
  expect(fake.entries().map(({ key }) => key)).toEqual(['b', 'c']);
});

test('a watch of a client that is cut off ends', async () => {
  let failure: EtcdFailure | undefined;
  const fake = createFakeEtcd();
  const etcd = fake.connect(() => failure);
  const next = etcd
    .watch({ prefix: '', from: 2, signal: new AbortController().signal })
    [Symbol.asyncIterator]()
    .next();
  await new Promise((resolve) => setImmediate(resolve));
  failure = { kind: 'no-leader' };
  fake.expire();
  await expect(next).rejects.toMatchObject({ failure: { kind: 'no-leader' } });
});

describe('a held lease', () => {
  const fake = createFakeEtcd();
  const ending = setInterval(() => fake.expire(), 20);
  afterAll(() => clearInterval(ending));
  const isThere = (key: string) => fake.entries().some((entry) => entry.key === key);
  const over: AbortController[] = [];
  afterEach(() => {
    for (const controller of over.splice(0)) controller.abort();
  });
  /** What was granted, and how often it ended. */
  const hold = async (etcd: Etcd, ttl: number, everyMs: number, former?: LeaseId) => {
    const held = { leases: [] as LeaseId[], over: [] as LeaseId[], ended: 0, end: new AbortController() };
    over.push(held.end);
    void holdLease({
      ...{ etcd, ttl, everyMs, former, signal: held.end.signal },
      granted: (lease) => void held.leases.push(lease),
      ended: (lease) => {
        held.ended += 1;
        held.over.push(lease);
      },
    });
    await until('there is one', () => held.leases.length > 0);
    return held;
  };

  test('is kept beyond its time, and by the next daemon, until nobody keeps it', async () => {
    const etcd = fake.connect();
    const { leases, end } = await hold(etcd, 1, 100);
    await etcd.put('kept', '', leases[0]);
    await new Promise((resolve) => setTimeout(resolve, 1_300));
    end.abort();
    const next = await hold(etcd, 1, 100, leases[0]);
    await new Promise((resolve) => setTimeout(resolve, 1_300));
    expect([next.leases, next.ended, isThere('kept')]).toEqual([leases, 0, true]);
    next.end.abort();
    await until('its key is gone', () => !isThere('kept'));
  });

  test('is lost while its keys are still there, when nobody answers, or answers late; then there is another', async () => {
    let failure: EtcdFailure | undefined;
    let late = false;
    const silent = createFakeEtcd(); // nobody lets its leases end
    const etcd = silent.connect(() => failure);
    const keepLease = (id: LeaseId) =>
      late ? new Promise<number>((resolve) => setTimeout(resolve, 5_000, 1)) : etcd.keepLease(id);
    const held = await hold({ ...etcd, keepLease }, 1, 100);
    await etcd.put('mine', '', held.leases[0]);
    failure = { kind: 'unavailable', sent: false };
    await until('it is lost', () => held.ended === 1);
    expect(silent.entries()).toHaveLength(1);
    failure = undefined;
    await until('there is another', () => held.leases.length === 2);
    late = true;
    const begun = performance.now();
    await until('it is lost as well', () => held.ended === 2);
    expect(performance.now() - begun).toBeLessThan(1_500);
    expect(held.over).toEqual(held.leases.slice(0, 2));
  });

  test.each(['are refused', 'are not answered'])(
    'S1: is followed by others in time where renewals %s and all else is done',
    async (how) => {
      const etcd = fake.connect();
      const keepLease = (id: LeaseId): Promise<number> =>
        how === 'are refused'
          ? Promise.reject(new EtcdError({ kind: 'unavailable', sent: true }, String(id)))
          : new Promise(() => {});
      const end = new AbortController();
      over.push(end);
      const register = createRegister(etcd, how, end.signal);
      const office = runForOffice({
        ...{ etcd, key: `${how}/leader`, node: 'a', signal: end.signal },
        leads: (leads) => void told.push(leads ? 'leads' : 'leads not'),
      });
      const told: string[] = [];
      let held: LeaseId | undefined;
      void register.set('/manager/a', 'here');
      office.seen(undefined);
      const revision = fake.revision + 1;
      const gone: string[] = [];
      const watch = async (): Promise<void> => {
        for await (const { events } of etcd.watch({ prefix: how, from: revision, signal: end.signal }))
          for (const each of events) if (each.type === 'delete') gone.push(each.key);
      };
      void watch();
      let count = 0;
      void holdLease({
        ...{ etcd: { ...etcd, keepLease }, ttl: 1, everyMs: 100, former: undefined, signal: end.signal },
        granted: (lease) => {
          held = lease;
          count += 1;
          register.lease(lease);
          office.stand(lease);
        },
        ended: (lease) => {
          if (lease === held) told.push('without a lease');
          office.ended(lease);
        },
      });
      const begun = performance.now();
      await until('there were five', () => count === 5, 6_000);
      expect([gone, told]).toEqual([[], ['leads']]);
      expect(performance.now() - begun).toBeGreaterThan(1_900); // none before half the time of the one before
    },
    10_000,
  );

  test('is lost at once when etcd says that it is none', async () => {
    const etcd = fake.connect();
    const held = await hold(etcd, 60, 20);
    await etcd.revokeLease(held.leases[0] as LeaseId);
    await until('it is lost', () => held.ended === 1);
  });

  test('of the former daemon is kept where the first answer is none', async () => {
    const etcd = fake.connect();
    const { id } = await etcd.grantLease(60);
    let asked = 0;
    const keepLease = async (lease: LeaseId): Promise<number> => {
      asked += 1;
      if (asked === 1) throw new EtcdError({ kind: 'no-leader' }, 'no leader');
      return etcd.keepLease(lease);
    };
    expect((await hold({ ...etcd, keepLease }, 60, 20, id)).leases).toEqual([id]);
  });

  test('S1: of the former daemon is followed by another one where it cannot be renewed', async () => {
    const etcd = fake.connect();
    const { id } = await etcd.grantLease(60);
    const held = await hold({ ...etcd, keepLease: () => new Promise(() => {}) }, 1, 100, id);
    expect(held.leases).not.toContain(id);
    expect(held.over).toEqual([]);
  });
});
