/**
 * Durable intent: one lmdb file with one JSON value a record, and a tail of the commits since it was last written. A
 * commit is a line in the tail (0.05 ms) and outlives the daemon at once; a durable one is on the disk, and outlives the
 * machine, when `written` says so: whoever answers a client waits for that, while the kernel's objects are made. The
 * tail goes into the database, in one transaction, after `FLUSH_MS`. A file that is not as it was written is set aside,
 * never silently replaced, and a copy (`copy.ts`) takes its place. A disk that is full keeps nobody from reading: what does not
 * fit the tail is refused, the rest waits for room.
 */
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { failpoint } from '../failpoints.js';
import type { Container } from '../model/container.js';
import { type CopyPlace, type FoundCopy, findCopies, keepCopy } from './copy.js';
import { Database, type Entry, readDatabase, setAside } from './database.js';
import { openTail, RESERVE, readTail } from './tail.js';
import type { Values } from './values.js';

/** One record set (`value`) or removed (`null`). Which tables there are is the engine's to say. */
export interface StoredChange {
  readonly table: string;
  readonly id: string;
  readonly value: object | null;
}

export interface Store {
  load(): Iterable<StoredChange>;
  /** Outlives the daemon's death when it returns, the machine's after `FLUSH_MS` at the latest. */
  commit(changes: readonly StoredChange[], durable: boolean): void;
  /**
   * Resolves when every `durable` commit so far outlives the machine's death too; undefined: they do. Rejects where the
   * disk refuses.
   */
  written(): Promise<void> | undefined;
  /** The record as JSON, as the database has it; undefined: what it has is not the latest, or it has none. */
  json(table: string, id: string): string | undefined;
  /** A small daemon-wide value (its own id, for one). */
  setting(key: string, fresh: () => string): string;
  close(): Promise<void>;
}

export interface OpenedStore {
  readonly store: Store;
  /** a file that was not as it was written: where it lies now, and what was wrong; absent when all was well */
  readonly quarantined?: { readonly path: string; readonly damage: string };
  /** the copy from which the records were taken; absent where the database itself had them */
  readonly restored?: { readonly path: string; readonly made: string };
}

/** Milliseconds after a commit in which the database has it, where the disk lets it. */
export const FLUSH_MS = 500;
/** How far the copies may be behind: beside the database, and in memory. */
const BEHIND_MS = { disk: 5_000, memory: 1_000 } as const;
/** Not a table: small values of the daemon's own. */
const SETTING = 'setting';
const GENERATION = `${SETTING}/generation`;

/** What of a container changes while it runs; the rest is as large as its users make it. */
type Patch = Pick<Container, 'state' | 'restartCount' | 'sandboxId' | 'endpointIds'>;
/** In the tail a change is kept whole, or under this table as the patch of a container that is known whole. */
const PATCH = 'patch';

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

const keyOf = ({ table, id }: Pick<StoredChange, 'table' | 'id'>): string =>
  `${table === PATCH ? 'container' : table}/${id}`;

/** The records, with the tail replayed over the database. */
const readAll = (
  values: Values['values'],
  left: readonly (readonly StoredChange[])[],
): Map<string, StoredChange> => {
  const records = new Map<string, StoredChange>();
  for (const [key, json] of values) {
    const [table = '', id = ''] = key.split('/', 2);
    if (table !== SETTING) records.set(key, { table, id, value: JSON.parse(json) });
  }
  for (const change of left.flat()) {
    const key = keyOf(change);
    const known = records.get(key);
    if (change.value === null) records.delete(key);
    else if (change.table !== PATCH) records.set(key, change);
    else if (known) records.set(key, { ...known, value: { ...known.value, ...change.value } });
  }
  return records;
};

const generationOf = (values: Values['values']): number => Number(JSON.parse(values.get(GENERATION) ?? '0'));

interface Source {
  readonly values: ReadonlyMap<string, string>;
  /** the file has them, each with its checksum */
  readonly written: boolean;
  readonly quarantined?: { readonly path: string; readonly damage: string };
  readonly restored?: { readonly path: string; readonly made: string };
}

const latest = (copies: readonly FoundCopy[]): FoundCopy | undefined =>
  [...copies].sort((a, b) => generationOf(b.values.values) - generationOf(a.values.values))[0];

/** What is wrong with the file; a tail that goes on from a later state tells of one that went back. */
const damageOf = (found: ReturnType<typeof readDatabase>, tailPath: string): string | undefined => {
  if (!found) return undefined;
  if ('damage' in found) return found.damage;
  return readTail(tailPath, generationOf(found.values)).ahead ? 'it is older than its journal' : undefined;
};

/** Where the records are taken from: the database, else the latest whole copy, else there are none. */
const sourceOf = (path: string, tailPath: string, places: readonly CopyPlace[]): Source => {
  const found = readDatabase(path);
  const damage = damageOf(found, tailPath);
  if (found && !('damage' in found) && damage === undefined)
    return { values: found.values, written: !found.unsealed };
  const quarantined = damage === undefined ? {} : { quarantined: { path: setAside(path), damage } };
  const copy = latest(findCopies(places));
  if (!copy) return { values: new Map(), written: false, ...quarantined };
  const { made, path: from } = copy;
  return { values: copy.values.values, written: false, ...quarantined, restored: { path: from, made } };
};

/**
 * `path`: the database; `tailPath`: on the same disk. `memory`: a directory that does not outlive the machine, for a copy of what
 * runs.
 */
export const openStore = (
  path: string,
  tailPath: string,
  warn: (message: string) => void = () => {},
  memory?: string,
): OpenedStore => {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const places: readonly CopyPlace[] = [
    { path: `${path}-copy`, behindMs: BEHIND_MS.disk },
    ...(memory === undefined ? [] : [{ path: join(memory, 'intent.mdb-copy'), behindMs: BEHIND_MS.memory }]),
  ];
  const { values, written, quarantined, restored } = sourceOf(path, tailPath, places);
  const database = new Database(path, values, !written);
  const copies = places.map((place) => keepCopy(database, place, warn));
  let generation = generationOf(values);
  const isNew = values.size === 0;
  const left = readTail<readonly StoredChange[]>(tailPath, generation);
  if (left.damage && !isNew) warn(left.damage);
  const tail = openTail<readonly StoredChange[]>(
    tailPath,
    generation,
    written || !restored ? left.end : undefined,
  );
  const loaded = readAll(values, left.commits);
  /** containers as the database and the tail have them */
  const known = new Map<string, Container>();
  const learn = (changes: Iterable<StoredChange>): void => {
    for (const change of changes) {
      if (change.table !== 'container') continue;
      if (change.value)
        known.set(change.id, change.value as Container); // what the engine has under this table
      else known.delete(change.id);
    }
  };
  learn(loaded.values());
  /** in the tail, not yet in the database; by key, the last change wins */
  const pending = new Map<string, StoredChange>();
  let timer: NodeJS.Timeout | undefined;

  /** settings that are not in the database yet */
  const settings = new Map<string, string>();

  const persist = (changes: Iterable<StoredChange>): void => {
    const records = [...changes].map(
      (change): Entry => [keyOf(change), change.value === null ? null : JSON.stringify(change.value)],
    );
    database.write([...records, ...settings, [GENERATION, JSON.stringify(String(generation + 1))]]);
    failpoint('intent-written');
    generation += 1;
    pending.clear();
    settings.clear();
    tail.clear(generation);
    for (const copy of copies) copy.soon();
  };
  const flush = (): void => {
    clearTimeout(timer);
    timer = undefined;
    if (pending.size > 0 || settings.size > 0) persist(pending.values());
  };
  /** A disk that is full now may not be later; the tail keeps what is pending until then. */
  const flushInTime = (): void => {
    try {
      flush();
    } catch (error) {
      refused(error);
    }
  };
  const refused = (error: unknown): void => {
    warn(`records wait for the disk: ${error instanceof Error ? error.message : String(error)}`);
    timer = setTimeout(flushInTime, 10 * FLUSH_MS).unref();
  };
  const lineOf = (change: StoredChange): StoredChange => {
    const before = change.table === 'container' ? known.get(change.id) : undefined;
    const after = before && (change.value as Container | null);
    return before && after && patched(before, after)
      ? { table: PATCH, id: change.id, value: patchOf(after) }
      : change;
  };

  // What a killed daemon left in its tail goes into the database before anything new does, as does what is not written there
  // as it should be. Where the disk has no room, both wait for it.
  for (const change of left.commits.flat()) {
    const key = keyOf(change);
    pending.set(key, loaded.get(key) ?? { ...change, value: null });
  }
  if (pending.size > 0 || (database.incomplete && !isNew)) {
    try {
      persist(pending.values());
    } catch (error) {
      refused(error);
    }
  }

  const store: Store = {
    load: () => loaded.values(),
    // What is refused (a full disk) has changed nothing: neither `pending` nor what the next flush writes.
    commit(changes, durable) {
      tail.append(changes.map(lineOf), durable);
      for (const change of changes) pending.set(keyOf(change), change);
      learn(changes);
      timer ??= setTimeout(flushInTime, FLUSH_MS).unref();
      if (tail.length > RESERVE) flushInTime();
    },
    written: () => tail.written(),
    json(table, id) {
      const key = keyOf({ table, id });
      return pending.has(key) ? undefined : database.get(key);
    },
    setting(name, fresh) {
      const key = `${SETTING}/${name}`;
      const known = settings.get(key) ?? database.get(key);
      if (known !== undefined) return JSON.parse(known) as string; // written here
      const value = fresh();
      settings.set(key, JSON.stringify(value));
      flushInTime();
      return value;
    },
    async close() {
      flush();
      tail.close();
      await Promise.all(copies.map((copy) => copy.close()));
      await database.close();
    },
  };
  return {
    store,
    ...(quarantined === undefined ? {} : { quarantined }),
    ...(restored === undefined ? {} : { restored }),
  };
};
