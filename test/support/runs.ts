/** How often a property is tried: quick in CI, `PROPERTY_RUNS=20` times as often for a night. */
export const runs = (quick: number): { readonly numRuns: number } => ({
  numRuns: Math.ceil(quick * Number(process.env.PROPERTY_RUNS ?? 1)),
});
