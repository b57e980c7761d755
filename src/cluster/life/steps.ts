/** Takes steps towards what is wanted: one at a time, at once when something has changed, and again a while after one that failed. */

/** milliseconds */
export const AGAIN_MS = 1_000;

export interface Steps {
  /** The next step comes in so many milliseconds; where one is under way then, another one follows it. */
  again(ms?: number): void;
  /** None begins any more. */
  close(): void;
}

/** `step`: answers in how many milliseconds to look again. `failed`: is told why one could not be taken. */
export const createSteps = (
  step: () => Promise<number>,
  failed: (error: unknown) => void,
  signal: AbortSignal,
): Steps => {
  let stepping = false;
  let another = false;
  let timer: NodeJS.Timeout | undefined;
  const again = (ms = AGAIN_MS): void => {
    clearTimeout(timer);
    if (!signal.aborted) timer = setTimeout(follow, ms);
  };
  const follow = (): void => {
    if (stepping) {
      another = true;
      return;
    }
    stepping = true;
    void step()
      .then(again, (error: unknown) => {
        failed(error);
        again();
      })
      .finally(() => {
        stepping = false;
        if (another) again(0);
        another = false;
      });
  };
  return { again, close: () => clearTimeout(timer) };
};
