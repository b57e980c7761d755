/** The fake etcd is one, and fails as told. */
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import type { Etcd, EtcdFailure, LeaseId } from '../../src/cluster/etcd/contract.js';
import { EtcdError } from '../../src/cluster/etcd/failure.js';
import { holdLease } from '../../src/cluster/etcd/lease.js';
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
    const held = { leases: [] as LeaseId[], ended: 0, end: new AbortController() };
    over.push(held.end);
    void holdLease({
      ...{ etcd, ttl, everyMs, former, signal: held.end.signal },
      granted: (lease) => void held.leases.push(lease),
      ended: () => {
        held.ended += 1;
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
  });

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
});
