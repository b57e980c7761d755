/** The fake etcd is one, and fails as told. */
import { afterAll, describe, expect, test } from 'vitest';
import type { EtcdFailure } from '../../src/cluster/etcd/contract.js';
import { EtcdError } from '../../src/cluster/etcd/failure.js';
import { holdLease } from '../../src/cluster/etcd/lease.js';
import { etcdConformance } from '../support/etcd-conformance.js';
import { createFakeEtcd } from '../support/fake-etcd.js';

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
  const lost = (signal: AbortSignal) => new Promise((resolve) => signal.addEventListener('abort', resolve));
  const isThere = (key: string) => fake.entries().some((entry) => entry.key === key);

  test('is kept beyond its time, and given up at once', async () => {
    const etcd = fake.connect();
    const lease = await holdLease(etcd, 1, 100);
    await etcd.put('kept', '', lease.id);
    await new Promise((resolve) => setTimeout(resolve, 1_300));
    expect([lease.lost.aborted, isThere('kept')]).toEqual([false, true]);
    await lease.close();
    expect([lease.lost.aborted, isThere('kept')]).toEqual([true, false]);
  });

  test('is lost while its keys are still there, when nobody answers', async () => {
    let failure: EtcdFailure | undefined;
    const silent = createFakeEtcd(); // nobody lets its leases end
    const etcd = silent.connect(() => failure);
    const lease = await holdLease(etcd, 1, 100);
    await etcd.put('mine', '', lease.id);
    failure = { kind: 'unavailable', sent: false };
    await lost(lease.lost);
    expect(silent.entries()).toHaveLength(1);
  });

  test('is lost at once when etcd says that it is none', async () => {
    const etcd = fake.connect();
    const lease = await holdLease(etcd, 60, 20);
    await etcd.revokeLease(lease.id);
    await lost(lease.lost);
  });
});
