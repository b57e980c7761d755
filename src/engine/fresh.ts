/** The time and new ids: what decisions are given, because they could not be pure if they asked for it. */
import { randomFillSync } from 'node:crypto';
import type { Fresh } from './decision.js';

/** Bytes of an id. */
const LENGTH = 32;
/** For 64 ids: to ask for randomness takes longer than all else of an id. */
const random = Buffer.alloc(64 * LENGTH);
let used = random.length;

/** 64 random hex digits. */
export const freshId = <T extends string>(): T => {
  if (used === random.length) {
    randomFillSync(random);
    used = 0;
  }
  const id = random.toString('hex', used, used + LENGTH);
  used += LENGTH;
  return id as T; // the brand is the caller's to give
};

/** RFC 3339 with nanoseconds (the clock gives milliseconds). */
export const timestamp = (): string => `${new Date().toISOString().slice(0, -1)}000000Z`;

export const fresh = (): Fresh => ({ id: freshId(), now: timestamp() });
