/** Chance from a seed: the same seed, the same run. */

export interface Random {
  /** 0 ≤ n < 1 */
  next(): number;
  /** whole, both ends included */
  between(low: number, high: number): number;
  chance(probability: number): boolean;
  /** undefined: of nothing */
  pick<T>(list: readonly T[]): T | undefined;
}

/** mulberry32 */
export const createRandom = (seed: number): Random => {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
  const between = (low: number, high: number): number => low + Math.floor(next() * (high - low + 1));
  return {
    next,
    between,
    chance: (probability) => next() < probability,
    pick: (list) => list[between(0, list.length - 1)],
  };
};
