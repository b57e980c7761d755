/** The fake etcd is one, and fails as told. */
import { expect, test } from 'vitest';
import type { EtcdFailure } from '../../src/cluster/etcd/contract.js';
import { EtcdError } from '../../src/cluster/etcd/failure.js';
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
