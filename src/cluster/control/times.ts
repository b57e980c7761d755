/** Points in time: the controllers are asked again when a record changes, and at the earliest time that any of them named. */
import type { Instant } from '../../model/swarm/kept.js';

/** When something happens, not before. */
export const NEVER: Instant = Number.POSITIVE_INFINITY;

export const earliest = (times: Iterable<Instant>): Instant => {
  let first = NEVER;
  for (const time of times) if (time < first) first = time;
  return first;
};

/** 0: of none. */
export const latest = (times: Iterable<Instant>): Instant => {
  let last = 0;
  for (const time of times) if (time > last) last = time;
  return last;
};
