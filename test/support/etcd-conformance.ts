/**
 * What an etcd must do, as this project relies on it: run against the real one and the fake one, so that what is proved with the
 * fake holds of the real one.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Compare, Etcd, EtcdFailure, Operation, WatchBatch } from '../../src/cluster/etcd/contract.js';
import { EtcdError } from '../../src/cluster/etcd/failure.js';
import { pages } from '../../src/cluster/etcd/pages.js';

export interface Subject {
  readonly etcd: Etcd;
  /** lets the time of a lease of one second go by, and leases end */
  readonly outlast: () => Promise<void>;
  readonly close: () => Promise<void>;
}

const failureOf = async (work: Promise<unknown>): Promise<EtcdFailure> => {
  try {
    await work;
  } catch (error) {
    if (error instanceof EtcdError) return error.failure;
    throw error;
  }
  throw new Error('it did not fail');
};

const put = (key: string, value: string): Operation => ({ do: 'put', key, value });
const keysOf = (entries: readonly { readonly key: string }[]): readonly string[] =>
  entries.map(({ key }) => key);

/** Batches until `enough` says so; the watch is ended then. */
const watched = async (
  etcd: Etcd,
  prefix: string,
  from: number,
  enough: (batches: readonly WatchBatch[]) => boolean,
): Promise<readonly WatchBatch[]> => {
  const stop = new AbortController();
  const seen: WatchBatch[] = [];
  for await (const batch of etcd.watch({ prefix, from, signal: stop.signal })) {
    if (batch.events.length > 0) seen.push(batch);
    if (enough(seen)) stop.abort();
  }
  return seen;
};

export const etcdConformance = (name: string, make: () => Promise<Subject>): void => {
  describe(`${name} as etcd`, () => {
    let subject: Subject;
    let etcd: Etcd;
    let count = 0;
    /** each test has keys of its own */
    let at = '';
    beforeAll(async () => {
      subject = await make();
      etcd = subject.etcd;
    });
    afterAll(() => subject?.close());
    beforeEach(() => {
      count += 1;
      at = `/${count}/`;
    });

    const entry = async (key: string) => (await etcd.range({ key })).entries[0];

    test('a key has its revisions, its version and its value, whatever characters they have', async () => {
      const key = `${at}ключ 🔑`;
      expect(await entry(key)).toBeUndefined();
      const first = await etcd.put(key, 'wert ✓\n"\u0000');
      const second = await etcd.put(key, '');
      expect(second).toBe(first + 1);
      const { entries, revision } = await etcd.range({ key });
      expect(entries).toEqual([{ key, value: '', createRevision: first, modRevision: second, version: 2 }]);
      expect(revision).toBe(second);
      const before = await etcd.range({ key, revision: first });
      expect(before.entries[0]?.value).toBe('wert ✓\n"\u0000');
      expect(before.revision).toBe(second);
    });

    test('a prefix has its keys in byte order, by pages of one revision, and nobody else’s', async () => {
      const names = ['a', 'b', 'b/1', 'ÿ', '\u{ffff}', '\u{10000}'];
      for (const each of [...names].reverse()) await etcd.put(`${at}${each}`, each);
      await etcd.put(`/${count}0`, 'behind');
      const whole = await etcd.range({ prefix: at });
      expect(keysOf(whole.entries)).toEqual(names.map((each) => at + each));
      const found: string[] = [];
      const revisions = new Set<number>();
      for await (const page of pages(etcd, at, 2)) {
        found.push(...keysOf(page.entries));
        revisions.add(page.revision);
        await etcd.put(`${at}b/2`, 'too late'); // at every page
        expect(page.entries.length).toBeLessThanOrEqual(2);
      }
      expect(found).toEqual(names.map((each) => at + each));
      expect([...revisions]).toEqual([whole.revision]);
      const keys = await etcd.range({ prefix: at, keysOnly: true, limit: 1, serializable: true });
      expect(keys.entries[0]?.value).toBe('');
      expect(keys.more).toBe(true);
    });

    test('the empty prefix has every key', async () => {
      await etcd.put(at, '');
      const everything: string[] = [];
      for await (const page of pages(etcd, '', 3)) everything.push(...keysOf(page.entries));
      expect(everything).toContain(at);
      expect(everything).toEqual([...new Set(everything)]);
    });

    test('deleting tells how many there were, and nothing deleted is no revision', async () => {
      await etcd.txn({ success: [put(`${at}1`, ''), put(`${at}2`, '')] });
      const gone = await etcd.delete({ prefix: at });
      expect(gone.deleted).toBe(2);
      expect(await etcd.delete({ prefix: at })).toEqual({ deleted: 0, revision: gone.revision });
      const again = await etcd.put(`${at}1`, '');
      expect(await entry(`${at}1`)).toMatchObject({ createRevision: again, version: 1 });
    });

    test('a transaction takes a free key once: its operations are one revision, its results in order', async () => {
      const take = (owner: string) =>
        etcd.txn({
          compare: [{ key: `${at}ip`, createRevision: 0 }],
          success: [
            put(`${at}ip`, owner),
            put(`${at}of`, owner),
            { do: 'get', prefix: at },
            { do: 'delete', key: `${at}x` },
          ],
          failure: [{ do: 'get', key: `${at}ip` }],
        });
      const first = await take('a');
      expect(first.succeeded).toBe(true);
      const [one, two, three, four] = first.results;
      expect([one, two, four]).toEqual([{ do: 'put' }, { do: 'put' }, { do: 'delete', deleted: 0 }]);
      expect(three).toMatchObject({
        do: 'get',
        entries: [{ modRevision: first.revision }, { modRevision: first.revision }],
      });
      const second = await take('b');
      expect(second).toMatchObject({ succeeded: false, revision: first.revision });
      expect(second.results).toMatchObject([{ do: 'get', entries: [{ value: 'a' }] }]);
    });

    test('every kind of comparison, of keys that are there and that are not', async () => {
      const lease = await etcd.grantLease(60);
      const created = await etcd.put(`${at}k`, 'm');
      const modified = await etcd.put(`${at}k`, 'n', lease.id);
      const there = { key: `${at}k` };
      const missing = { key: `${at}missing` };
      const yes: readonly Compare[] = [
        { ...there, createRevision: created },
        { ...there, createRevision: 0, is: '>' },
        { ...there, modRevision: modified },
        { ...there, modRevision: modified + 1, is: '<' },
        { ...there, version: 2 },
        { ...there, value: 'n' },
        { ...there, value: 'm', is: '!=' },
        { ...there, value: 'm', is: '>' },
        { ...there, lease: lease.id },
        { ...missing, createRevision: 0 },
        { ...missing, modRevision: 0 },
        { ...missing, version: 0 },
        { ...missing, lease: undefined },
        { prefix: `${at}none/`, createRevision: 0 },
        { prefix: at, createRevision: created },
      ];
      const no: readonly Compare[] = [
        { ...there, createRevision: 0 },
        { ...there, modRevision: created },
        { ...there, version: 1 },
        { ...there, value: 'm' },
        { ...there, lease: undefined },
        { ...missing, value: '' },
        { ...missing, value: 'x', is: '!=' },
        { ...missing, createRevision: created },
        { prefix: at, createRevision: 0 },
      ];
      const holds = async (compare: Compare) =>
        (await etcd.txn({ compare: [compare], success: [] })).succeeded;
      for (const each of yes) expect([each, await holds(each)]).toEqual([each, true]);
      for (const each of no) expect([each, await holds(each)]).toEqual([each, false]);
      expect((await etcd.txn({ compare: [...yes, no[0] as Compare], success: [] })).succeeded).toBe(false);
      await etcd.revokeLease(lease.id);
    });

    test('refused whole: too many operations, a key put twice, a value too large, a lease that is none', async () => {
      const many = Array.from({ length: 129 }, (_, i) => put(`${at}${i}`, ''));
      expect((await failureOf(etcd.txn({ success: many }))).kind).toBe('too-large');
      expect((await failureOf(etcd.txn({ success: [put(at, '1'), put(at, '2')] }))).kind).toBe('refused');
      expect((await failureOf(etcd.put(at, 'x'.repeat(2_000_000)))).kind).toBe('too-large');
      const { id } = await etcd.grantLease(60);
      await etcd.revokeLease(id);
      const leased: Operation = { do: 'put', key: `${at}2`, value: '', lease: id };
      expect((await failureOf(etcd.txn({ success: [put(`${at}1`, ''), leased] }))).kind).toBe('no-lease');
      expect((await etcd.range({ prefix: at })).entries).toEqual([]);
      await etcd.txn({ success: many.slice(1) });
      expect((await etcd.range({ prefix: at })).entries).toHaveLength(128);
    });

    test('a watch tells the past and what follows, a transaction as one batch, in order, of its prefix alone', async () => {
      const { revision } = await etcd.range({ key: at });
      await etcd.txn({ success: [put(`${at}1`, 'a'), put(`${at}2`, 'a')] });
      const seen = watched(etcd, at, revision + 1, (batches) => batches.flatMap((b) => b.events).length >= 5);
      await etcd.put(`/${count}0`, 'somebody else’s');
      await etcd.put(`${at}1`, 'b');
      const last = await etcd.delete({ prefix: at });
      const batches = await seen;
      const events = batches.flatMap((batch) => batch.events);
      expect(
        events.map((each) =>
          each.type === 'put' ? `${each.entry.key}=${each.entry.value}` : `-${each.key}`,
        ),
      ).toEqual([`${at}1=a`, `${at}2=a`, `${at}1=b`, `-${at}1`, `-${at}2`]);
      const revisions = events.map((each) =>
        each.type === 'put' ? each.entry.modRevision : each.modRevision,
      );
      expect(revisions).toEqual([revision + 1, revision + 1, revision + 3, last.revision, last.revision]);
      expect(batches.at(-1)?.revision).toBe(last.revision);
      for (const batch of batches)
        for (const each of batch.events)
          expect(each.type === 'put' ? each.entry.modRevision : each.modRevision).toBeLessThanOrEqual(
            batch.revision,
          );
    });

    test('a watch of a long past tells all of it, once', async () => {
      const { revision } = await etcd.range({ key: at });
      const writes = 1_500; // more than etcd tells at a time
      for (let i = 0; i < writes; i += 50)
        await Promise.all(Array.from({ length: 50 }, (_, j) => etcd.put(`${at}k`, String(i + j))));
      const batches = await watched(
        etcd,
        at,
        revision + 1,
        (seen) => seen.flatMap((b) => b.events).length >= writes,
      );
      const revisions = batches.flatMap(({ events }) =>
        events.map((each) => (each.type === 'put' ? each.entry.modRevision : each.modRevision)),
      );
      expect(revisions).toEqual(Array.from({ length: writes }, (_, i) => revision + 1 + i));
    });

    test('a watch is over by its signal, before and while it waits', async () => {
      const stop = new AbortController();
      stop.abort();
      for await (const _ of etcd.watch({ key: at, from: 1_000_000, signal: stop.signal }))
        throw new Error('a batch');
      expect(
        await watched(etcd, at, (await etcd.put(at, '')) as number, (seen) => seen.length > 0),
      ).toHaveLength(1);
    });

    test('compaction forgets: reading and watching the past is refused, the present stays', async () => {
      const first = await etcd.put(at, '1');
      const second = await etcd.put(at, '2');
      await etcd.compact(second);
      expect((await failureOf(etcd.range({ key: at, revision: first }))).kind).toBe('compacted');
      expect((await etcd.range({ key: at, revision: second })).entries[0]?.value).toBe('2');
      expect(await failureOf(watched(etcd, at, first, () => true))).toEqual({
        kind: 'compacted',
        revision: second,
      });
      expect((await failureOf(etcd.compact(first))).kind).toBe('compacted');
      expect((await failureOf(etcd.range({ key: at, revision: second + 1_000 }))).kind).toBe('refused');
      expect(await watched(etcd, at, second, (seen) => seen.length > 0)).toHaveLength(1);
    });

    test('a lease keeps its keys while it is kept, and takes them along, told by a watch', async () => {
      const lease = await etcd.grantLease(1);
      expect(lease.ttl).toBeGreaterThanOrEqual(1);
      const revision = await etcd.put(`${at}1`, '', lease.id);
      await etcd.put(`${at}2`, '', lease.id);
      expect((await entry(`${at}1`))?.lease).toBe(lease.id);
      expect(await etcd.keepLease(lease.id)).toBe(lease.ttl);
      const gone = watched(etcd, at, revision + 2, (seen) => seen.flatMap((b) => b.events).length >= 2);
      await subject.outlast();
      expect((await gone).flatMap((batch) => batch.events.map((each) => each.type))).toEqual([
        'delete',
        'delete',
      ]);
      expect((await failureOf(etcd.keepLease(lease.id))).kind).toBe('no-lease');
      expect((await failureOf(etcd.revokeLease(lease.id))).kind).toBe('no-lease');
    });

    test('a lease given up takes its keys at once; a key put again without it stays', async () => {
      const lease = await etcd.grantLease(60);
      await etcd.put(`${at}1`, '', lease.id);
      await etcd.put(`${at}2`, '', lease.id);
      await etcd.put(`${at}2`, '');
      await etcd.revokeLease(lease.id);
      expect(keysOf((await etcd.range({ prefix: at })).entries)).toEqual([`${at}2`]);
    });

    test('a writer whose lease is over is fenced off by the revision of its key', async () => {
      const lease = await etcd.grantLease(60);
      const held = await etcd.put(`${at}leader`, 'a', lease.id);
      const write = () =>
        etcd.txn({ compare: [{ key: `${at}leader`, createRevision: held }], success: [put(`${at}x`, '')] });
      expect((await write()).succeeded).toBe(true);
      await etcd.revokeLease(lease.id);
      await etcd.put(`${at}leader`, 'b');
      expect((await write()).succeeded).toBe(false);
    });
  });
};
