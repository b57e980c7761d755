/**
 * Gives back what is not used any more. V8 collects garbage when a heap has outgrown a limit, which it set when there was much:
 * after a container with 9,000 ports a daemon would hold 60 MB for as long as it has nothing to do. So where nothing is done, and the heap
 * is larger than it need be, V8 is made to begin a collection. `gc()` would stand until all has been looked at (30 ms with 17 MB in
 * use); memory outside of the heap makes it begin one that goes in slices, of which the last takes 2 to 11 ms.
 */
import { getHeapSpaceStatistics } from 'node:v8';

/** Milliseconds between two looks. A collection is over within them. */
const LOOK_MS = 2_000;
/** Bytes: who keeps so much more than at the last look is at work. */
const AT_WORK = 2 << 20;
/** Bytes: for less nobody's processor is taken. */
const WORTH = 4 << 20;
/** Bytes: twice what makes V8 look (`kExternalAllocationSoftLimit`). Nobody writes to it, so the kernel gives none of it. */
const PRESSURE = 128 << 20;

export interface Looked {
  /** bytes in use, garbage among them */
  readonly used: number;
  /** bytes that collections are known to leave */
  readonly needed: number;
  /** a collection was begun */
  readonly begun: boolean;
}

export const UNSEEN: Looked = { used: 0, needed: 0, begun: false };

/** Of one look, after the one before; `begun`: a collection is to begin. */
export const look = (before: Looked, used: number): Looked => {
  // The first leaves pages with little on them, which a second one empties.
  if (before.begun) return { used, needed: used, begun: before.used - used >= WORTH };
  const needed = Math.min(before.needed, used);
  return { used, needed, begun: used - before.used < AT_WORK && used - needed >= WORTH };
};

/** What is not young: V8 often collects that by itself. */
const bytesInUse = (): number =>
  getHeapSpaceStatistics()
    .filter(({ space_name }) => !space_name.startsWith('new_'))
    .reduce((sum, { space_used_size }) => sum + space_used_size, 0);

export const beginCollection = (): void => void new ArrayBuffer(PRESSURE);

export const giveBackSpareMemory = (): void => {
  let seen = UNSEEN;
  setInterval(() => {
    seen = look(seen, bytesInUse());
    if (seen.begun) beginCollection();
  }, LOOK_MS).unref();
};
