/**
 * Gives back what is not used any more. V8 collects garbage when a heap has outgrown a limit, which it set when there was much:
 * after a container with 9,000 ports a daemon would hold 60 MB for as long as it has nothing to do. So where nothing is done, and the heap
 * is larger than it need be, V8 is made to begin a collection. `gc()` would stand until all has been looked at (30 ms with 17 MB in
 * use); memory outside of the heap makes it begin one that goes in slices, of which the last takes 2 to 11 ms.
 */
import { getHeapStatistics } from 'node:v8';

/** Milliseconds between two looks. A collection is over within them. */
const LOOK_MS = 2_000;
/** Milliseconds of processors between two looks: who took more is at work, and a collection would be in the way. */
const AT_WORK = 60;
/** Bytes: for less nobody's processor is taken. */
const WORTH = 4 << 20;
/** Bytes: twice what makes V8 look (`kExternalAllocationSoftLimit`). Nobody writes to it, so the kernel gives none of it. */
const PRESSURE = 128 << 20;
/**
 * The first collection leaves pages with little on them, which the second empties; what young objects had room in is given back by one
 * that comes some seconds after the work. After 0, 2, 6 and 14 s V8 has had its say.
 */
const ROW = 4;

export interface Looked {
  /** bytes that collections are known to leave it */
  readonly needed: number;
  /** collections of this row so far */
  readonly done: number;
  /** looks until the next one */
  readonly wait: number;
  /** a collection is to begin */
  readonly begins: boolean;
}

export const UNSEEN: Looked = { needed: 0, done: 0, wait: 0, begins: false };

/**
 * Of one look, after the one before. `held`: bytes that V8 has of the kernel; `worked`: milliseconds of processors since. A row that has
 * begun goes on: its own collections are work, too.
 */
export const look = (before: Looked, held: number, worked: number): Looked => {
  const { needed, done, wait } = before;
  if (held - needed < WORTH) return { ...UNSEEN, needed: Math.min(needed, held) };
  if (done === 0 && worked > AT_WORK) return { ...UNSEEN, needed };
  if (wait > 0) return { ...before, wait: wait - 1, begins: false };
  if (done === ROW) return { ...UNSEEN, needed: held };
  return { needed, done: done + 1, wait: done + 1 === ROW ? 0 : 2 ** done - 1, begins: true };
};

export const beginCollection = (): void => void new ArrayBuffer(PRESSURE);

export const giveBackSpareMemory = (): void => {
  let seen = UNSEEN;
  let used = process.cpuUsage();
  setInterval(() => {
    const { user, system } = process.cpuUsage(used);
    used = process.cpuUsage();
    seen = look(seen, getHeapStatistics().total_heap_size, (user + system) / 1_000);
    if (seen.begins) beginCollection();
  }, LOOK_MS).unref();
};
