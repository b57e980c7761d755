/**
 * Work of which only so much goes on at a time, as more would take as long all together and everybody else's longer. Nobody waits for
 * ever: what hangs keeps others for a moment each, and not longer.
 */
export type Gate = <T>(work: () => Promise<T>, givenUp?: AbortSignal) => Promise<T>;

/** Work begins in the order of asking, after `patience` (milliseconds) in any case, and when `givenUp` is. */
export const createGate = (most: number, patience = 1_000): Gate => {
  let free = most;
  const waiting = new Set<() => void>();

  /** Resolves to whether a place was taken, which is to be given back. */
  const enter = (givenUp: AbortSignal | undefined): Promise<boolean> =>
    new Promise((resolve) => {
      if (givenUp?.aborted) return resolve(false);
      const begin = (placed: boolean): void => {
        clearTimeout(late);
        givenUp?.removeEventListener('abort', unplaced);
        waiting.delete(placedNow);
        resolve(placed);
      };
      const placedNow = (): void => begin(true);
      const unplaced = (): void => begin(false);
      const late = setTimeout(unplaced, patience);
      givenUp?.addEventListener('abort', unplaced, { once: true });
      waiting.add(placedNow);
    });

  const leave = (): void => {
    const [next] = waiting;
    if (next) next();
    else free += 1;
  };

  return async (work, givenUp) => {
    const isFree = free > 0;
    if (isFree) free -= 1;
    const placed = isFree || (await enter(givenUp));
    try {
      return await work();
    } finally {
      if (placed) leave();
    }
  };
};
