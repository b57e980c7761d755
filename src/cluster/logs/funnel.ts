/** Several sources into one reader, each at the reader's pace: what waits here is at most one piece of each source. */

export interface Funnel<T> {
  /** Resolves when the reader has taken it, or reads no more. */
  put(piece: T): Promise<void>;
  /** Behind all that was put; a reason is thrown to the reader. Only the first counts. */
  end(reason?: Error): void;
  /** For one reader. */
  read(): AsyncGenerator<T>;
}

export const createFunnel = <T>(): Funnel<T> => {
  const waiting: { readonly piece: T; readonly taken: () => void }[] = [];
  let over: { readonly reason?: Error } | undefined;
  let left = false;
  let wake = (): void => {};

  async function* read(): AsyncGenerator<T> {
    try {
      for (;;) {
        const next = waiting.shift();
        if (next)
          try {
            yield next.piece;
          } finally {
            next.taken();
          }
        else if (over) {
          if (over.reason) throw over.reason;
          return;
        } else
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
      }
    } finally {
      left = true;
      for (const { taken } of waiting.splice(0)) taken();
    }
  }

  return {
    put: (piece) =>
      new Promise((resolve) => {
        if (left || over) return resolve();
        waiting.push({ piece, taken: resolve });
        wake();
      }),
    end(reason) {
      over ??= reason === undefined ? {} : { reason };
      wake();
    },
    read,
  };
};
