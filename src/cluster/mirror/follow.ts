/**
 * All keys with a prefix, in memory, kept by one watch. Invariants: what is shown is the store as it was at `revision`, never a mixture
 * of two; every change is told once and in order, whether it came by the watch or by reading all again.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { Entry, Etcd, WatchBatch } from '../etcd/contract.js';
import { isEtcd } from '../etcd/failure.js';
import { pages } from '../etcd/pages.js';

export interface KeyChange {
  /** without the prefix */
  readonly key: string;
  readonly before: Entry | undefined;
  readonly after: Entry | undefined;
}

export interface Followed {
  readonly entries: ReadonlyMap<string, Entry>;
  readonly revision: number;
  /** since when nothing was heard of the store; undefined: it is heard */
  readonly silentSince: number | undefined;
  /** Resolves when all that was written up to this revision is here, or after `limitMs`. */
  reached(revision: number, limitMs?: number): Promise<void>;
  /** Resolves when all is here that anybody had written before the call; after three times `lateMs` where the store does not tell. */
  current(): Promise<void>;
  /** Resolves when all keys were read once. */
  readonly ready: Promise<void>;
}

export interface FollowSettings {
  readonly etcd: Pick<Etcd, 'range' | 'watch'>;
  readonly prefix: string;
  readonly signal: AbortSignal;
  /** told of each revision; must not throw */
  readonly changed: (changes: readonly KeyChange[]) => void;
  /** told when the store falls silent and when it is heard again */
  readonly heard: (silent: Error | undefined) => void;
  /** Told when the store has forgotten what was not read yet, or has kept it back, so that everything is read again. Must not throw. */
  readonly overtaken?: () => void;
  /** milliseconds, of the pauses between tries */
  readonly pauseMs?: number;
  /** milliseconds between two looks at whether the watch tells all */
  readonly lookMs?: number;
  /** milliseconds after which a watch is late */
  readonly lateMs?: number;
}

const PAUSE_MS = 250;
/** etcd 3.4 was seen to go on with a watch that compaction had overtaken, and to tell it nothing more. */
const LOOK_MS = 5_000;
/** A store that has just fallen silent may be back in a moment, as when its program is started again. */
const LATE_MS = 1_000;
const STEP_MS = 20;
/** how long a command waits for the mirror: what it changed is written all the same */
const REACH_MS = 5_000;

interface Waiting {
  readonly revision: number;
  readonly done: () => void;
}

/** All of one revision. */
const readAll = async (
  etcd: FollowSettings['etcd'],
  prefix: string,
  serializable: boolean,
): Promise<{ readonly revision: number; readonly entries: ReadonlyMap<string, Entry> }> => {
  const entries = new Map<string, Entry>();
  let revision = 0;
  const range: Etcd['range'] = (request) => etcd.range({ ...request, serializable });
  for await (const page of pages({ range }, prefix)) {
    revision = page.revision;
    for (const entry of page.entries) entries.set(entry.key.slice(prefix.length), entry);
  }
  return { revision, entries };
};

/** What has to change for `before` to become `after`. */
const differences = (
  before: ReadonlyMap<string, Entry>,
  after: ReadonlyMap<string, Entry>,
): readonly KeyChange[] => {
  const changes: KeyChange[] = [];
  for (const [key, entry] of before)
    if (!after.has(key)) changes.push({ key, before: entry, after: undefined });
  for (const [key, entry] of after) {
    const old = before.get(key);
    if (
      old?.modRevision !== entry.modRevision ||
      old.createRevision !== entry.createRevision ||
      old.value !== entry.value
    )
      changes.push({ key, before: old, after: entry });
  }
  return changes;
};

/** Of the last change that left an entry; undefined: there is none. */
const latest = (entries: Iterable<Entry>): Entry | undefined => {
  let found: Entry | undefined;
  for (const entry of entries) if (!found || entry.modRevision > found.modRevision) found = entry;
  return found;
};

export const follow = (settings: FollowSettings): Followed => {
  const { etcd, prefix, signal, lateMs = LATE_MS } = settings;
  const entries = new Map<string, Entry>();
  let revision = 0;
  let silentSince: number | undefined;
  let waiting: Waiting[] = [];
  let isReady = (): void => {};
  const ready = new Promise<void>((resolve) => {
    isReady = resolve;
  });

  const arrive = (at: number, changes: readonly KeyChange[]): void => {
    for (const { key, after } of changes) {
      if (after) entries.set(key, after);
      else entries.delete(key);
    }
    revision = at;
    if (changes.length > 0) settings.changed(changes);
    const reached = waiting.filter((each) => each.revision <= revision);
    waiting = waiting.filter((each) => each.revision > revision);
    for (const { done } of reached) done();
  };

  const hear = (error: Error | undefined): void => {
    if ((silentSince === undefined) === (error === undefined)) return;
    silentSince = error && Date.now();
    settings.heard(error);
  };

  const fail = (error: unknown): void => hear(error instanceof Error ? error : new Error(String(error)));

  /** Without a leader, what this member has: it was true once, and the watch goes on from there. */
  const readAgain = async (): Promise<void> => {
    const all = await readAll(etcd, prefix, false).then(
      (found) => {
        hear(undefined);
        return found;
      },
      async (error: unknown) => {
        fail(error);
        const found = await readAll(etcd, prefix, true);
        // An older state than what is shown is no news: this member is behind.
        return found.revision < revision ? undefined : found;
      },
    );
    if (all) arrive(all.revision, differences(entries, all.entries));
    isReady();
  };

  /**
   * Whether the store answers again: a watch says nothing where nothing happens. False where it is not the one that was followed, as
   * it was emptied or set back: then the last change that we know of is not in its past.
   */
  const isTheSame = async (): Promise<boolean> => {
    const last = latest(entries.values());
    const key = last?.key ?? prefix;
    const found = await etcd.range({ key, revision }).catch((error: unknown) => {
      if (isEtcd(error, 'refused') || isEtcd(error, 'compacted')) return undefined;
      throw error;
    });
    hear(undefined);
    return found !== undefined && found.entries[0]?.modRevision === last?.modRevision;
  };

  const take = (batch: WatchBatch): void => {
    const changes = batch.events.map((event): KeyChange => {
      const key = (event.type === 'put' ? event.entry.key : event.key).slice(prefix.length);
      return { key, before: entries.get(key), after: event.type === 'put' ? event.entry : undefined };
    });
    // The same key may change twice in a batch of several revisions: each change is told with what was before it.
    const seen = new Map<string, Entry | undefined>();
    const ordered = changes.map((change) => {
      const before = seen.has(change.key) ? seen.get(change.key) : change.before;
      seen.set(change.key, change.after);
      return { ...change, before };
    });
    arrive(Math.max(revision, batch.revision), ordered);
  };

  const reached = (wanted: number, limitMs = REACH_MS): Promise<void> =>
    new Promise((resolve) => {
      if (revision >= wanted) {
        resolve();
        return;
      }
      const done = (): void => {
        clearTimeout(timer);
        waiting = waiting.filter((each) => each.done !== done);
        signal.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, limitMs);
      signal.addEventListener('abort', done, { once: true });
      waiting.push({ revision: wanted, done });
    });

  let watching = new AbortController();
  let comparing: Promise<void> | undefined;
  /** Of a watch that is late: it may be that others write, and that nothing is ours. */
  const compare = async (): Promise<void> => {
    const [watched, known] = [watching, revision];
    const all = await readAll(etcd, prefix, false);
    if (revision !== known || watched !== watching) return;
    if (differences(entries, all.entries).length === 0) arrive(all.revision, []);
    else watched.abort();
  };
  const catchUp = async (): Promise<void> => {
    const { revision: there } = await etcd.range({ key: prefix });
    await reached(there, lateMs);
    if (revision >= there || silentSince !== undefined) return;
    // However many ask, all is read once.
    comparing ??= compare().finally(() => {
      comparing = undefined;
    });
    await comparing;
    await reached(there, lateMs);
  };
  let asking = false;
  const looking = setInterval(() => {
    if (asking) return; // a store that answers slowly is asked once at a time
    asking = true;
    catchUp()
      .catch(() => {}) // the watch is told that the store does not answer
      .finally(() => {
        asking = false;
      });
  }, settings.lookMs ?? LOOK_MS).unref();
  signal.addEventListener('abort', () => clearInterval(looking), { once: true });

  const run = async (): Promise<void> => {
    let whole = false;
    const overtaken = (): void => {
      whole = false;
      settings.overtaken?.();
    };
    while (!signal.aborted) {
      watching = new AbortController();
      try {
        if (silentSince !== undefined) whole &&= await isTheSame();
        if (!whole) await readAgain();
        whole = true;
        const either = AbortSignal.any([signal, watching.signal]);
        for await (const batch of etcd.watch({ prefix, from: revision + 1, signal: either })) {
          hear(undefined);
          take(batch);
        }
        if (watching.signal.aborted) overtaken();
      } catch (error) {
        if (signal.aborted) return;
        if (isEtcd(error, 'compacted') || watching.signal.aborted) overtaken();
        else fail(error);
        await pause(settings.pauseMs ?? PAUSE_MS, undefined, { signal }).catch(() => {});
      }
    }
  };
  void run();

  return {
    entries,
    get revision() {
      return revision;
    },
    get silentSince() {
      return silentSince;
    },
    ready,
    reached,
    async current() {
      const end = (silentSince ?? Date.now()) + lateMs;
      while (silentSince !== undefined && Date.now() < end && !signal.aborted) await pause(STEP_MS);
      if (silentSince !== undefined || signal.aborted) return;
      const over = new AbortController();
      // Once to be told, once to ask, once to be told then.
      const late = pause(3 * lateMs, undefined, { signal: over.signal });
      await Promise.race([catchUp(), late]).catch(() => {}); // what is known is shown
      over.abort();
    },
  };
};
