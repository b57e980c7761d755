/** S1: disks and stores without room: what is not sent to etcd then, what is given back, and what is written again. */
import { describe, expect, test } from 'vitest';
import type { Etcd, EtcdStatus } from '../../src/cluster/etcd/contract.js';
import { EtcdError } from '../../src/cluster/etcd/failure.js';
import { LEAST_ROOM, lacksRoom, withRoom } from '../../src/cluster/etcd/room.js';
import { createSaver } from '../../src/cluster/life/saver.js';
import { createStore } from '../../src/cluster/life/store.js';
import { dueFor, isTurnOf } from '../../src/cluster/life/upkeep.js';
import { createFakeEtcd } from '../support/fake-etcd.js';
import { until } from '../support/run.js';

const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

test('a disk has room, or a sentence says how much there is and where', () => {
  expect(lacksRoom('/somewhere', () => LEAST_ROOM)).toBeUndefined();
  expect(lacksRoom('/somewhere', () => undefined)).toBeUndefined();
  expect(lacksRoom('/somewhere', () => LEAST_ROOM - 1)).toMatch(
    /^the disk of this manager is full: 63 MiB are left at \/somewhere, and the swarm's store needs 64/,
  );
  expect(lacksRoom('/proc/nothing/is/here')).toBeDefined(); // of a file system without any room, and a directory that is not there
});

test('without room nothing is written, which is said at once; what is there is read, and leases are kept', async () => {
  let lack: string | undefined;
  const etcd: Etcd = withRoom(createFakeEtcd().connect(), () => lack);
  const { id } = await etcd.grantLease(10);
  const revision = await etcd.put('a', '1');
  lack = 'no room';
  const writes = [
    () => etcd.put('a', '2'),
    () => etcd.delete({ key: 'a' }),
    () => etcd.txn({ success: [{ do: 'put', key: 'b', value: '1' }] }),
    () => etcd.grantLease(10),
    () => etcd.compact(revision),
  ];
  for (const write of writes)
    await expect(write()).rejects.toMatchObject({ failure: { kind: 'disk-full' }, message: 'no room' });
  expect(await etcd.keepLease(id)).toBe(10);
  expect((await etcd.range({ key: 'a' })).entries).toMatchObject([{ value: '1' }]);
  const store = createStore(
    { ...etcd, status: async () => ({ leader: '1' }) as EtcdStatus },
    {
      reached: async () => {},
      restarting: () => undefined,
      managers: async () => ({ reachable: 1, all: 1 }),
    },
  );
  await expect(store.commit({ success: [] })).rejects.toMatchObject({
    kind: 'unavailable',
    message: 'no room',
  });
  lack = undefined;
  expect(await etcd.put('a', '2')).toBe(revision + 1);
});

describe('a member gives back what is free', () => {
  const MIB = 1024 * 1024;
  const status = (size: number, inUse: number, full = false) => ({
    ...{ size: size * MIB, inUse: inUse * MIB, revision: 7 },
    alarms: full ? (['no-space'] as const) : [],
  });
  const on = { quota: 2_000 * MIB, turn: true, done: 0 };

  test.each([
    ['little is free', status(1_000, 600), on, { giveBack: false, disarm: false }],
    ['half is free', status(1_000, 400), on, { giveBack: true, disarm: false }],
    ['it is another’s turn', status(1_000, 400), { ...on, turn: false }, { giveBack: false, disarm: false }],
    ['it is small', status(60, 1), on, { giveBack: false, disarm: false }],
    ['it is full', status(2_000, 2_000, true), { ...on, turn: false }, { giveBack: true, disarm: false }],
    [
      'nothing was removed since',
      status(2_000, 100, true),
      { ...on, done: 7 },
      { giveBack: false, disarm: false },
    ],
    ['it is not full any more', status(100, 90, true), { ...on, done: 7 }, { giveBack: false, disarm: true }],
  ])('or not: %s', (_, found, how, due) => expect(dueFor(found, how)).toEqual(due));

  test('one a minute', () => {
    const turns = Array.from({ length: 6 }, (_, minute) =>
      ['c', 'a', 'b'].filter((id) => isTurnOf(id, ['c', 'a', 'b'], minute * 60_000)).join(),
    );
    expect(turns).toEqual(['a', 'b', 'c', 'a', 'b', 'c']);
  });
});

test('what a disk did not take is written when it does, the latest of it, and nothing throws meanwhile', async () => {
  let full = true;
  const written: number[] = [];
  const { signal } = new AbortController();
  const save = createSaver(
    (value: number) => {
      if (full) throw new EtcdError({ kind: 'disk-full' }, 'no space left on device');
      written.push(value);
    },
    { log: quiet, signal, again: 5 },
  );
  save(1);
  save(2);
  expect(written).toEqual([]);
  full = false;
  await until('it is written', () => written.length > 0);
  expect(written).toEqual([2]);
});
