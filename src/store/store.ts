/**
 * Durable intent: a snapshot of all records, and a tail of the commits since. A commit is a line in the tail (0.05 ms) and
 * outlives the daemon at once; a durable one is on the disk, and outlives the machine, when `written` says so: whoever answers a
 * client waits for that, while the kernel's objects are made. When the tail is long, commits go to the next one, and a new
 * snapshot is written beside other work; until it is on the disk nothing of the old is removed. The same files lie in two more
 * places, and what is not as it was written is set aside, never silently replaced (`source.ts`). A disk that is full keeps
 * nobody from reading: what does not fit the tail is refused, the snapshot waits for room.
 */
import { statSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { failpoint } from '../failpoints.js';
import { RESERVE } from './lines.js';
import { keepOnly, type Places, snapshotPath } from './place.js';
import { keyOf, play, type StoredChange, shortened } from './records.js';
import { type Snapshot, writeSnapshot } from './snapshot.js';
import { findRecord, type Loss } from './source.js';
import { Tail } from './tail.js';

export type { StoredChange } from './records.js';

export interface Store {
  load(): Iterable<StoredChange>;
  /** Outlives the daemon's death when it returns, the machine's half a second later, where the disk lets it. */
  commit(changes: readonly StoredChange[], durable: boolean): void;
  /**
   * Resolves when every `durable` commit so far outlives the machine's death too; undefined: they do. Rejects where the
   * disk refuses.
   */
  written(): Promise<void> | undefined;
  /** A small daemon-wide value (its own id, for one). */
  setting(key: string, fresh: () => string): string;
  close(): Promise<void>;
}

export interface OpenedStore extends Loss {
  readonly store: Store;
}

/** Not a table of the engine's: small values of the daemon's own. */
const SETTING = 'setting';
/** Milliseconds until what the disk refused is tried again. */
const AGAIN_MS = 5_000;
/** Bytes of a tail whose snapshot waits no longer: some 0.1 s of the next start. */
const LONG_TAIL = 8 * RESERVE;

/** `lullMs`: so long a snapshot that is due waits, so that whoever made it due, and goes on, is answered before. */
export const openStore = async (
  places: Places,
  warn: (message: string) => void = () => {},
  lullMs = 0,
): Promise<OpenedStore> => {
  const { found, home, copies, loss } = await findRecord(places, warn);
  const { records } = found;
  const tail = new Tail(home, found, copies, warn);
  const closing = new AbortController();
  /** bytes of the last snapshot */
  let { length } = found;
  let saving: Promise<void> | undefined;
  /** The next generation: whatever is committed from now on is not in its snapshot. */
  const begin = (): Snapshot => {
    if (tail.length > 0) tail.turn();
    failpoint('tail-turned');
    return { point: tail.point, records: [...records.values()] };
  };
  /** What the disk has no room for waits for it: the tail that was, or a list of the moment at which it ended. */
  const save = async (): Promise<void> => {
    let snapshot: Snapshot | undefined;
    while (!closing.signal.aborted)
      try {
        snapshot ??= begin();
        const { seq } = snapshot.point;
        await writeSnapshot(snapshotPath(home, seq), snapshot);
        length = statSync(snapshotPath(home, seq)).size;
        failpoint('snapshot-named');
        await copies.snapshot(seq);
        failpoint('snapshot-copied');
        return await keepOnly(home, seq, [seq]);
      } catch (error) {
        warn(`records wait for the disk: ${String(error)}`);
        await delay(AGAIN_MS, undefined, { ref: false, signal: closing.signal }).catch(() => {});
      }
  };
  let due: NodeJS.Timeout | undefined;
  const turn = (): void => {
    clearTimeout(due);
    due = undefined;
    saving ??= save().finally(() => {
      saving = undefined;
    });
  };
  const soon = (): void => {
    if (lullMs === 0 || tail.length > Math.max(LONG_TAIL, length / 2)) turn();
    else due ??= setTimeout(turn, lullMs).unref();
  };
  // A snapshot was under way when the daemon before us ended.
  if (found.tails.length > 1) turn();

  const store: Store = {
    load: () => records.values(),
    // What is refused (a full disk) has changed nothing.
    commit(changes, durable) {
      tail.append(shortened(records, changes), durable);
      play(records, changes);
      if (tail.length > Math.max(RESERVE, length / 2)) soon();
    },
    written: () => tail.written(),
    setting(id, fresh) {
      const known = records.get(keyOf({ table: SETTING, id }))?.value as { text: string } | undefined; // written here
      if (known) return known.text;
      const text = fresh();
      store.commit([{ table: SETTING, id, value: { text } }], true);
      return text;
    },
    async close() {
      closing.abort();
      clearTimeout(due);
      await saving;
      await tail.close();
    },
  };
  return { store, ...loss };
};
