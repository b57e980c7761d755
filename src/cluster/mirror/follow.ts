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
  /** milliseconds, of the pauses between tries */
  readonly pauseMs?: number;
}

const PAUSE_MS = 250;
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
  const { etcd, prefix, signal } = settings;
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

  const run = async (): Promise<void> => {
    let whole = false;
    while (!signal.aborted) {
      try {
        if (silentSince !== undefined) whole &&= await isTheSame();
        if (!whole) await readAgain();
        whole = true;
        for await (const batch of etcd.watch({ prefix, from: revision + 1, signal })) {
          hear(undefined);
          take(batch);
        }
      } catch (error) {
        if (signal.aborted) return;
        if (isEtcd(error, 'compacted')) whole = false;
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
    reached: (wanted, limitMs = REACH_MS) =>
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
      }),
  };
};
