/**
 * etcd in memory: all revisions, transactions, watches, leases, compaction, as the real one (both pass
 * `etcd-conformance.ts`). Time is given, and each client can be cut off:
 *
 *     const etcd = createFakeEtcd({ now: () => clock });
 *     const a = etcd.connect(() => (cut ? { kind: 'unavailable', sent: false } : undefined));
 *     await a.put('x', '1');
 *     clock += 5_000; etcd.expire();
 *
 * A failure of kind `unavailable` with `sent` takes effect all the same: the answer is what was lost.
 */
import type {
  Compare,
  Entry,
  Etcd,
  EtcdFailure,
  LeaseId,
  Operation,
  OperationResult,
  RangeRequest,
  Selection,
  Txn,
  WatchBatch,
  WatchEvent,
  WatchRequest,
} from '../../src/cluster/etcd/contract.js';
import { EtcdError } from '../../src/cluster/etcd/failure.js';

/** Asked before each request; a failure is thrown. */
type Gate = (operation: keyof Etcd) => EtcdFailure | undefined;

export interface FakeEtcd {
  connect(gate?: Gate): Etcd;
  /** Lets leases end whose time is over by `now`, and cuts off the watches of whose client the gate says so. */
  expire(): void;
  readonly revision: number;
  /** every key as it is */
  entries(): readonly Entry[];
}

export interface FakeSettings {
  /** milliseconds; of a real clock where not said */
  readonly now?: () => number;
}

const MOST_OPERATIONS = 128;
const LONGEST_VALUE = 1.5 * 1024 * 1024;

interface Lease {
  readonly ttl: number;
  deadline: number;
}

/** A key's past, oldest first; no entry: it was deleted then. */
interface Version {
  readonly revision: number;
  readonly entry: Entry | undefined;
}

interface Watcher {
  readonly gate: Gate;
  readonly tell: (batch: WatchBatch) => void;
  readonly fail: (error: EtcdError) => void;
  readonly selected: Selection;
  readonly from: number;
}

const failed = (failure: EtcdFailure, message: string = failure.kind): EtcdError =>
  new EtcdError(failure, message);

const inBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));
const selects = (selected: Selection, key: string): boolean =>
  'key' in selected ? key === selected.key : key.startsWith(selected.prefix);

const compareValues = (a: string | number, b: string | number, is: Compare['is'] = '='): boolean => {
  const order = typeof a === 'string' ? inBytes(a, String(b)) : a - Number(b);
  return { '=': order === 0, '!=': order !== 0, '<': order < 0, '>': order > 0 }[is];
};

/** Of a key that is not there: 0, and no value that anything could be compared with. */
const holdsOf = (compare: Compare, entry: Entry | undefined): boolean => {
  if ('createRevision' in compare)
    return compareValues(entry?.createRevision ?? 0, compare.createRevision, compare.is);
  if ('modRevision' in compare)
    return compareValues(entry?.modRevision ?? 0, compare.modRevision, compare.is);
  if ('version' in compare) return compareValues(entry?.version ?? 0, compare.version, compare.is);
  if ('value' in compare) return entry !== undefined && compareValues(entry.value, compare.value, compare.is);
  return compareValues(Number(entry?.lease ?? 0), Number(compare.lease ?? 0), compare.is);
};

export const createFakeEtcd = ({ now = () => performance.now() }: FakeSettings = {}): FakeEtcd => {
  const past = new Map<string, Version[]>();
  const leases = new Map<LeaseId, Lease>();
  const watchers = new Set<Watcher>();
  let revision = 1;
  let compacted = 0;
  let leaseCount = 0;

  const at = (key: string, then: number): Entry | undefined =>
    past.get(key)?.findLast((version) => version.revision <= then)?.entry;
  const all = (selected: Selection, then: number): readonly Entry[] =>
    [...past.keys()]
      .filter((key) => selects(selected, key))
      .sort(inBytes)
      .flatMap((key) => at(key, then) ?? []);

  /** What one request changes, all at the revision that follows. */
  const draft = () => {
    const changes = new Map<string, Entry | undefined>();
    const next = revision + 1;
    const current = (key: string): Entry | undefined =>
      changes.has(key) ? changes.get(key) : at(key, revision);
    const select = (selected: Selection): readonly Entry[] =>
      [...new Set([...past.keys(), ...changes.keys()])]
        .filter((key) => selects(selected, key))
        .sort(inBytes)
        .flatMap((key) => current(key) ?? []);
    const run = (op: Operation): OperationResult => {
      if (op.do === 'get') return { do: 'get', entries: select(op) };
      if (op.do === 'delete') {
        const gone = select(op);
        for (const { key } of gone) changes.set(key, undefined);
        return { do: 'delete', deleted: gone.length };
      }
      const before = current(op.key);
      const [createRevision, version] = [before?.createRevision ?? next, (before?.version ?? 0) + 1];
      const { key, value, lease } = op;
      changes.set(key, {
        key,
        value,
        createRevision,
        modRevision: next,
        version,
        ...(lease ? { lease } : {}),
      });
      return { do: 'put' };
    };
    return { changes, run };
  };

  const commit = (changes: ReadonlyMap<string, Entry | undefined>): void => {
    if (changes.size === 0) return;
    revision += 1;
    for (const [key, entry] of changes) past.set(key, [...(past.get(key) ?? []), { revision, entry }]);
    for (const watcher of [...watchers]) tell(watcher, revision);
  };

  const eventsAt = (selected: Selection, then: number): readonly WatchEvent[] =>
    [...past].flatMap(([key, versions]): readonly WatchEvent[] => {
      const version = selects(selected, key) ? versions.find((each) => each.revision === then) : undefined;
      if (!version) return [];
      const { entry } = version;
      return [entry ? { type: 'put', entry } : { type: 'delete', key, modRevision: then }];
    });

  const tell = (watcher: Watcher, then: number): void => {
    const failure = watcher.gate('watch');
    if (failure) {
      watcher.fail(failed(failure));
      return;
    }
    const events = then < watcher.from ? [] : eventsAt(watcher.selected, then);
    if (events.length > 0) watcher.tell({ revision: then, events });
  };

  const check = (operations: readonly Operation[]): void => {
    if (operations.length > MOST_OPERATIONS) throw failed({ kind: 'too-large' });
    const put = new Set<string>();
    for (const op of operations) {
      if (op.do !== 'put') continue;
      if (put.has(op.key)) throw failed({ kind: 'refused' }, 'duplicate key given in txn request');
      put.add(op.key);
      if (Buffer.byteLength(op.value) > LONGEST_VALUE) throw failed({ kind: 'too-large' });
    }
    for (const op of operations)
      if (op.do === 'delete' && [...put].some((key) => selects(op, key)))
        throw failed({ kind: 'refused' }, 'duplicate key given in txn request');
  };

  const txn = ({ compare = [], success, failure = [] }: Txn) => {
    if (compare.length > MOST_OPERATIONS) throw failed({ kind: 'too-large' });
    check(success);
    check(failure);
    const succeeded = compare.every((each) => {
      const found = all(each, revision);
      return found.length === 0 ? holdsOf(each, undefined) : found.every((entry) => holdsOf(each, entry));
    });
    const operations = succeeded ? success : failure;
    for (const op of operations)
      if (op.do === 'put' && op.lease && !leases.has(op.lease)) throw failed({ kind: 'no-lease' });
    const { changes, run } = draft();
    const results = operations.map(run);
    commit(changes);
    return { revision, succeeded, results };
  };

  const range = (request: RangeRequest) => {
    const { limit, after, revision: then = revision, keysOnly } = request;
    if (then > revision) throw failed({ kind: 'refused' }, 'a future revision');
    if (then < compacted) throw failed({ kind: 'compacted', revision: 0 });
    const found = all(request, then).filter(({ key }) => after === undefined || inBytes(key, after) > 0);
    const entries = found.slice(0, limit ?? found.length);
    return {
      revision,
      entries: keysOnly ? entries.map((each) => ({ ...each, value: '' })) : entries,
      more: entries.length < found.length,
    };
  };

  const endLease = (id: LeaseId): void => {
    leases.delete(id);
    const { changes, run } = draft();
    for (const { key } of all({ prefix: '' }, revision).filter((each) => each.lease === id))
      run({ do: 'delete', key });
    commit(changes);
  };
  const leaseOf = (id: LeaseId): Lease => {
    const lease = leases.get(id);
    if (!lease) throw failed({ kind: 'no-lease' });
    return lease;
  };

  async function* watch(gate: Gate, request: WatchRequest): AsyncGenerator<WatchBatch> {
    const { from, signal, ...selected } = request;
    const refused = gate('watch');
    if (refused) throw failed(refused);
    if (from < compacted) throw failed({ kind: 'compacted', revision: compacted });
    const waiting: WatchBatch[] = [];
    let failure: EtcdError | undefined;
    let wake = (): void => {};
    const watcher: Watcher = {
      gate,
      selected,
      from,
      tell: (batch) => {
        waiting.push(batch);
        wake();
      },
      fail: (error) => {
        failure ??= error;
        wake();
      },
    };
    for (let then = from; then <= revision; then += 1) tell(watcher, then);
    watchers.add(watcher);
    const leave = (): void => wake();
    signal.addEventListener('abort', leave);
    try {
      while (!signal.aborted) {
        const batch = waiting.shift();
        if (batch) yield batch;
        else if (failure) throw failure;
        else
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
      }
    } finally {
      watchers.delete(watcher);
      signal.removeEventListener('abort', leave);
    }
  }

  const compact = (then: number): void => {
    if (then > revision) throw failed({ kind: 'refused' }, 'a future revision');
    if (then <= compacted) throw failed({ kind: 'compacted', revision: 0 });
    compacted = then;
    for (const [key, versions] of past) {
      const first = versions.findLastIndex((version) => version.revision <= then);
      const rest = versions.slice(Math.max(first, 0));
      if (rest.length === 1 && rest[0]?.entry === undefined) past.delete(key);
      else past.set(key, rest);
    }
  };

  const connect = (gate: Gate = () => undefined): Etcd => {
    const through = async <T>(operation: keyof Etcd, work: () => T): Promise<T> => {
      const failure = gate(operation);
      if (!failure) return work();
      if (failure.kind === 'unavailable' && failure.sent) work();
      throw failed(failure);
    };
    return {
      range: (request) => through('range', () => range(request)),
      put: (key, value, lease) =>
        through(
          'put',
          () => txn({ success: [{ do: 'put', key, value, ...(lease ? { lease } : {}) }] }).revision,
        ),
      delete: (selected) =>
        through('delete', () => {
          const { results, revision: then } = txn({ success: [{ do: 'delete', ...selected }] });
          return { revision: then, deleted: results[0]?.do === 'delete' ? results[0].deleted : 0 };
        }),
      txn: (request) => through('txn', () => txn(request)),
      watch: (request) => watch(gate, request),
      grantLease: (ttl) =>
        through('grantLease', () => {
          leaseCount += 1;
          const id = String(leaseCount) as LeaseId; // made here
          leases.set(id, { ttl, deadline: now() + ttl * 1000 });
          return { id, ttl };
        }),
      keepLease: (id) =>
        through('keepLease', () => {
          const lease = leaseOf(id);
          lease.deadline = now() + lease.ttl * 1000;
          return lease.ttl;
        }),
      revokeLease: (id) =>
        through('revokeLease', () => {
          leaseOf(id);
          endLease(id);
        }),
      compact: (then) => through('compact', () => compact(then)),
    };
  };

  return {
    connect,
    expire: () => {
      for (const [id, { deadline }] of [...leases]) if (deadline <= now()) endLease(id);
      for (const watcher of [...watchers]) {
        const failure = watcher.gate('watch');
        if (failure) watcher.fail(failed(failure));
      }
    },
    get revision() {
      return revision;
    },
    entries: () => all({ prefix: '' }, revision),
  };
};
