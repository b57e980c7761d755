/** Virtual time: what is to happen, in order; nothing else makes time pass. */
import { Heap } from '../../src/cluster/control/schedule/heap.js';

export interface Clock {
  readonly now: number;
  in(ms: number, what: () => void): void;
  /** Lets the next thing happen, if it is not later than `end`; false: there is none, and it is `end` now. */
  step(end: number): boolean;
}

interface Due {
  readonly at: number;
  readonly order: number;
  readonly what: () => void;
}

const before = (a: Due, b: Due): boolean => a.at < b.at || (a.at === b.at && a.order < b.order);

export const createClock = (start: number): Clock => {
  const queue = new Heap<Due>(before);
  let [now, order] = [start, 0];
  return {
    get now() {
      return now;
    },
    in(ms, what) {
      order += 1;
      queue.push({ at: now + ms, order, what });
    },
    step(end) {
      const next = queue.pop();
      if (!next || next.at > end) {
        if (next) queue.push(next);
        now = Math.max(now, end);
        return false;
      }
      now = Math.max(now, next.at);
      next.what();
      return true;
    },
  };
};
