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

/** Lets each that waits work in rotation, up to `part` units at a time, until `units` are spent. Answers what was. */
export const rotate = (waiting: Set<Worker>, units: number, part: number): number => {
  let spent = 0;
  // Who is put back is met again, behind the others: a Set is walked in the order of insertion.
  for (const worker of waiting) {
    if (spent >= units) break;
    waiting.delete(worker);
    spent += worker.work(Math.min(part, units - spent));
    if (worker.waits()) waiting.add(worker);
  }
  return spent;
};

export interface Turns {
  /** `worker` has something to do: it is served in this turn of the loop or the next ones. */
  wake(worker: Worker): void;
}

/** `later` calls back in the next turn of the loop. */
export const createTurns = (
  limits: { readonly units: number; readonly part: number },
  later: (turn: () => void) => void = setImmediate,
): Turns => {
  const waiting = new Set<Worker>();
  let planned = false;
  const plan = (): void => {
    if (planned || waiting.size === 0) return;
    planned = true;
    later(turn);
  };
  const turn = (): void => {
    planned = false;
    rotate(waiting, limits.units, limits.part);
    plan();
  };
  return {
    wake(worker) {
      waiting.add(worker);
      plan();
    },
  };
};
