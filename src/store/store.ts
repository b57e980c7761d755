/**
 * Durable intent: one lmdb file with one JSON value a record, and a tail of the commits since it was last written. A
 * commit is a line in the tail (0.05 ms) and outlives the daemon at once; a durable one is on the disk, and outlives the
 * machine, when `written` says so: whoever answers a client waits for that, while the kernel's objects are made. The
 * tail goes into the database, in one transaction, after `FLUSH_MS`. A file that cannot be read is set aside, never
 * silently replaced, and its copy (`copy.ts`) takes its place.
 */
import { existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { failpoint } from '../failpoints.js';
import type { Container } from '../model/container.js';
import type { Endpoint, Sandbox } from '../model/endpoint.js';
import type { Network } from '../model/network.js';
import type { Owed } from '../model/owed.js';
import { keepCopy, restoreCopy } from './copy.js';
import { type Contents, openDatabase, openWhole, setAside } from './database.js';
import { openTail, RESERVE } from './tail.js';

export interface Records {
  readonly network: Network;
  readonly endpoint: Endpoint;
  readonly sandbox: Sandbox;
  readonly container: Container;
  readonly owed: Owed;
}

export type Table = keyof Records;
export const TABLES: readonly Table[] = ['network', 'endpoint', 'sandbox', 'container', 'owed'];

/** One record set (`value`) or removed (`null`). */
export type Change = {
  [T in Table]: { readonly table: T; readonly id: string; readonly value: Records[T] | null };
}[Table];

export interface Store {
  load(): Iterable<Change>;
  /** Outlives the daemon's death when it returns, the machine's after `FLUSH_MS` at the latest. */
  commit(changes: readonly Change[], durable: boolean): void;
  /**
   * Resolves when every `durable` commit so far outlives the machine's death too; undefined: they do. Rejects where the
   * disk refuses.
   */
  written(): Promise<void> | undefined;
  /** A small daemon-wide value (its own id, for one). */
  setting(key: string, fresh: () => string): string;
  close(): Promise<void>;
}

export interface OpenedStore {
  readonly store: Store;
  /** path under which an unreadable file was set aside; absent when all was well */
  readonly quarantined?: string;
  /** when the copy was made from which the records were taken, RFC 3339; absent where the database itself had them */
  readonly restored?: string;
}

const FLUSH_MS = 500;
const GENERATION = 'setting/generation';

const isTable = (text: string): text is Table => (TABLES as readonly string[]).includes(text);

/** What of a container changes while it runs; the rest is as large as its users make it. */
type Patch = Pick<Container, 'state' | 'restartCount' | 'sandboxId' | 'endpointIds'>;
/** A change as the tail keeps it: whole, or the patch of a container that is known whole. */
type Line = Change | { readonly table: 'patch'; readonly id: string; readonly value: Patch };

const patchOf = ({ state, restartCount, sandboxId, endpointIds }: Container): Patch => ({
  state,
  restartCount,
  sandboxId,
  endpointIds,
});

/** Does the patch say all that has changed? Records are never mutated, so what is the same object is the same. */
const patched = (before: Container, after: Container): boolean => {
  const rest = { ...after, ...patchOf(before) };
  const keys = new Set([...Object.keys(before), ...Object.keys(rest)]) as Set<keyof Container>; // of two containers
  return [...keys].every((key) => before[key] === rest[key]);
};

const keyOf = (change: Change): string => `${change.table}/${change.id}`;
const keyed = (changes: readonly Change[]): (readonly [string, Change])[] =>
  changes.map((c) => [keyOf(c), c]);

/** The records, with the tail replayed over the database. */
const readAll = (entries: Contents['entries'], left: readonly (readonly Line[])[]): Map<string, Change> => {
  const records = new Map<string, Change>();
  for (const { key, value } of entries) {
    const [table = '', id = ''] = key.split('/', 2);
    // The value was written by `commit` below under the same table's type.
    if (isTable(table)) records.set(key, { table, id, value } as Change);
  }
  for (const line of left.flat()) {
    if (line.table === 'patch') {
      const known = records.get(`container/${line.id}`);
      if (known?.table === 'container' && known.value)
        records.set(keyOf(known), { ...known, value: { ...known.value, ...line.value } });
    } else if (line.value === null) records.delete(keyOf(line));
    else records.set(keyOf(line), line);
  }
  return records;
};

/** `path`: the database; `tailPath`: on the same disk. */
export const openStore = (
  path: string,
  tailPath: string,
  warn: (message: string) => void = () => {},
): OpenedStore => {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const whole = openWhole(path);
  const quarantined = whole || !existsSync(path) ? undefined : setAside(path);
  const restored = whole ? undefined : restoreCopy(path);
  const { db, entries } = whole ?? openWhole(path) ?? { db: openDatabase(path), entries: [] };
  const copy = keepCopy(db, path, warn);
  let generation = Number(db.get(GENERATION) ?? 0);
  const tail = openTail<readonly Line[]>(tailPath, generation);
  const loaded = readAll(entries, tail.left);
  /** containers as the database and the tail have them */
  const known = new Map<string, Container>();
  const learn = (changes: Iterable<Change>): void => {
    for (const change of changes) {
      if (change.table !== 'container') continue;
      if (change.value) known.set(change.id, change.value);
      else known.delete(change.id);
    }
  };
  learn(loaded.values());
  /** in the tail, not yet in the database; by key, the last change wins */
  const pending = new Map<string, Change>();
  let timer: NodeJS.Timeout | undefined;

  const persist = (changes: Iterable<Change>): void => {
    db.transactionSync(() => {
      for (const change of changes)
        if (change.value === null) db.removeSync(keyOf(change));
        else db.putSync(keyOf(change), change.value);
      db.putSync(GENERATION, String(generation + 1));
    });
    failpoint('intent-written');
    generation += 1;
    pending.clear();
    tail.clear(generation);
    copy.soon();
  };
  const flush = (): void => {
    clearTimeout(timer);
    timer = undefined;
    if (pending.size > 0) persist(pending.values());
  };
  /** A disk that is full now may not be later; the tail keeps what is pending until then. */
  const flushInTime = (): void => {
    try {
      flush();
    } catch (error) {
      warn(`records wait for the disk: ${error instanceof Error ? error.message : String(error)}`);
      timer = setTimeout(flushInTime, 10 * FLUSH_MS).unref();
    }
  };
  const lineOf = (change: Change): Line => {
    const before = change.table === 'container' ? known.get(change.id) : undefined;
    return change.table === 'container' && change.value && before && patched(before, change.value)
      ? { table: 'patch', id: change.id, value: patchOf(change.value) }
      : change;
  };

  // What a killed daemon left in its tail goes into the database before anything new does.
  if (tail.left.length > 0) {
    const gone = tail.left
      .flat()
      .flatMap((l): Change[] =>
        l.table !== 'patch' && l.value === null && !loaded.has(keyOf(l)) ? [l] : [],
      );
    persist([...gone, ...loaded.values()]);
  }

  const store: Store = {
    load: () => loaded.values(),
    // What is refused (a full disk) has changed nothing: neither `pending` nor what the next flush writes.
    commit(changes, durable) {
      tail.append(changes.map(lineOf), durable);
      for (const [key, change] of keyed(changes)) pending.set(key, change);
      learn(changes);
      timer ??= setTimeout(flushInTime, FLUSH_MS).unref();
      if (tail.length > RESERVE) flushInTime();
    },
    written: () => tail.written(),
    setting(key, fresh) {
      const known = db.get(`setting/${key}`);
      if (typeof known === 'string') return known;
      const value = fresh();
      db.putSync(`setting/${key}`, value);
      return value;
    },
    async close() {
      flush();
      tail.close();
      await copy.close();
      await db.close();
    },
  };
  return {
    store,
    ...(quarantined === undefined ? {} : { quarantined }),
    ...(restored === undefined ? {} : { restored }),
  };
};
