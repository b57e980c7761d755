/** Work on many things in slices, so that the event loop turns in between. */

export interface Pace {
  /** This slice is used up. */
  due(): boolean;
  /** Lets the loop turn, and begins the next slice. */
  rest(): Promise<void>;
}

/** milliseconds of one slice */
const SLICE = 8;

/** Resolves in a turn of the loop that no other of its waiters has, in the order of asking. */
export const createTurns = (): (() => Promise<void>) => {
  let last: Promise<void> = Promise.resolve();
  return () => {
    last = last.then(() => new Promise((resolve) => setImmediate(resolve)));
    return last;
  };
};

/** For work of some milliseconds that many may have at the same time: whoever only asks something waits for one of them. */
export const ownTurn = createTurns();

/** `if (pace.due()) await pace.rest();` once a thing. */
export const createPace = (): Pace => {
  let began = performance.now();
  return {
    due: () => performance.now() - began > SLICE,
    rest: async () => {
      await ownTurn();
      began = performance.now();
    },
  };
};
