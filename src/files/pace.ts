/** Work on many files in slices, so that the event loop turns in between. */

export interface Pace {
  /** This slice is used up. */
  due(): boolean;
  /** Lets the loop turn, and begins the next slice. */
  rest(): Promise<void>;
}

/** milliseconds of one slice */
const SLICE = 8;

/** `if (pace.due()) await pace.rest();` once a file. */
export const createPace = (): Pace => {
  let began = performance.now();
  return {
    due: () => performance.now() - began > SLICE,
    rest: () =>
      new Promise((resolve) =>
        setImmediate(() => {
          began = performance.now();
          resolve();
        }),
      ),
  };
};
