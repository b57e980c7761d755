/** Work that must not overlap: one piece at a time of each key, in the order of asking; one that fails does not stop the next. */

interface Queue {
  <T>(key: string, work: () => Promise<T>): Promise<T>;
  /** Resolves when all that was asked for is done. */
  settled(): Promise<void>;
}

export const createQueue = (): Queue => {
  const last = new Map<string, Promise<unknown>>();
  const inTurn = <T>(key: string, work: () => Promise<T>): Promise<T> => {
    const turn = (last.get(key) ?? Promise.resolve()).then(work);
    const done = turn
      .catch(() => {})
      .then(() => {
        if (last.get(key) === done) last.delete(key);
      });
    last.set(key, done);
    return turn;
  };
  const settled = async (): Promise<void> => {
    while (last.size > 0) await Promise.all(last.values());
  };
  return Object.assign(inTurn, { settled });
};
