/**
 * Work that could fill the event loop, shared out: of every turn of the loop it takes a bounded part, and whoever waits
 * for some of it is served in rotation, so one with a thousand things to do delays one with a single thing by a part.
 */

/** Somebody with work to do, in units that its owner defines. */
export interface Worker {
  /** Is there anything to do at once? */
  waits(): boolean;
  /** Does work worth about `units` (the last piece may cost more); answers what it cost. */
  work(units: number): number;
}

/**
 * Lets each that waits work in rotation, up to `part` units at a time, until `units` are spent. Who is not done waits again, or goes
 * over to `rest`. Answers what was spent.
 */
export const rotate = (waiting: Set<Worker>, units: number, part: number, rest = waiting): number => {
  let spent = 0;
  // Who is put back is met again, behind the others: a Set is walked in the order of insertion.
  for (const worker of waiting) {
    if (spent >= units) break;
    waiting.delete(worker);
    spent += worker.work(Math.min(part, units - spent));
    if (worker.waits()) rest.add(worker);
  }
  return spent;
};

export interface Turns {
  /** `worker` has something to do: it is served in this turn of the loop or the next ones. */
  wake(worker: Worker): void;
}

export interface Limits {
  /** of one turn of the loop, for those who come with something new */
  readonly units: number;
  /** that one has before the next one's turn comes */
  readonly part: number;
  /** of each rest, for all together who had a part and are not done */
  readonly rested: number;
}

/** Milliseconds, the shortest time a timer knows. */
const REST_MS = 1;

/**
 * Who comes with something new is served in the next turn of the loop (`later`). Who had a part of it and is not done has had more
 * than its share: all of those together go on after a rest, in rotation, so that they leave most of the processor to others, however
 * much they want.
 */
export const createTurns = (
  { units, part, rested }: Limits,
  later: (turn: () => void) => void = setImmediate,
  afterRest: (turn: () => void) => void = (turn) => void setTimeout(turn, REST_MS),
): Turns => {
  const fresh = new Set<Worker>();
  const greedy = new Set<Worker>();
  let [planned, resting] = [false, false];
  const plan = (): void => {
    if (!planned && fresh.size > 0) {
      planned = true;
      later(turn);
    }
    if (!resting && greedy.size > 0) {
      resting = true;
      afterRest(goOn);
    }
  };
  const turn = (): void => {
    planned = false;
    rotate(fresh, units, part, greedy);
    plan();
  };
  const goOn = (): void => {
    resting = false;
    rotate(greedy, rested, part);
    plan();
  };
  return {
    wake(worker) {
      if (greedy.has(worker)) return;
      fresh.add(worker);
      plan();
    },
  };
};
