/** JSON with whole numbers of any size, as bigints: JavaScript's own numbers are exact to 53 bits, Go's have 64. Pure. */
import { randomUUID } from 'node:crypto';

/** Begins the text that stands for a number; nobody else can know it. */
const MARK = randomUUID();
const MARKED = new RegExp(`"${MARK}(-?[0-9]+)"`, 'g');

export const wideJson = (value: unknown): string =>
  JSON.stringify(value, (_, each: unknown) => (typeof each === 'bigint' ? `${MARK}${each}` : each)).replace(
    MARKED,
    '$1',
  );
