/** Work on many files in slices, so that the event loop turns in between. */

export interface Pace {
  /** This slice is used up. */
  due(): boolean;
  /** Lets the loop turn, and begins the next slice. */
  rest(): Promise<void>;
}

/** milliseconds of one slice */
const SLICE = 8;

/** The last slice that was asked for. One begins a turn of the loop, however many walk at the same time. */
let last: Promise<void> = Promise.resolve();

const turn = (): Promise<void> => {
  last = last.then(() => new Promise((resolve) => setImmediate(resolve)));
  return last;
};

/** `if (pace.due()) await pace.rest();` once a file. */
export const createPace = (): Pace => {
  let began = performance.now();
  return {
    due: () => performance.now() - began > SLICE,
    rest: async () => {
      await turn();
      began = performance.now();
    },
  };
};
