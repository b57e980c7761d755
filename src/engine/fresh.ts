/** The time and new ids: what decisions are given, because they could not be pure if they asked for it. */
import { randomBytes } from 'node:crypto';
import type { Fresh } from './decision.js';

/** 64 random hex digits. */
export const freshId = <T extends string>(): T => randomBytes(32).toString('hex') as T; // the brand is the caller's to give

/** RFC 3339 with nanoseconds (the clock gives milliseconds). */
export const timestamp = (): string => new Date().toISOString().replace(/Z$/, '000000Z');

export const fresh = (): Fresh => ({ id: freshId(), now: timestamp() });
