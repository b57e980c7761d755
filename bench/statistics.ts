/** Medians and quartiles of small samples. Invariant: a sample is never empty where a figure is drawn from it. */

/** Value below which the share `p` (0–1) of the sample lies, between neighbours by linear interpolation. */
export const quantile = (sample: readonly number[], p: number): number => {
  const sorted = [...sample].sort((a, b) => a - b);
  const place = (sorted.length - 1) * p;
  const low = sorted[Math.floor(place)] ?? Number.NaN;
  const high = sorted[Math.ceil(place)] ?? Number.NaN;
  return low + (high - low) * (place - Math.floor(place));
};

export const median = (sample: readonly number[]): number => quantile(sample, 0.5);
