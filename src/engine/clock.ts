/**
 * One clock of nanoseconds since the epoch. Invariant: every reading is later than the one before, also when somebody
 * sets the wall clock back; a wall clock that runs or jumps ahead is followed.
 */
export interface ClockSources {
  /** milliseconds since the epoch */
  readonly wall: () => number;
  /** nanoseconds from any fixed point */
  readonly monotonic: () => bigint;
}

const SYSTEM: ClockSources = { wall: Date.now, monotonic: process.hrtime.bigint };

/** The wall clock gives milliseconds: below this, differences are its granularity and the usual slewing of NTP. */
const TOLERANCE_NS = 1_000_000_000n;

export const createClock = ({ wall, monotonic }: ClockSources = SYSTEM): (() => bigint) => {
  const wallNs = (): bigint => BigInt(wall()) * 1_000_000n;
  let offset = wallNs() - monotonic();
  let last = 0n;
  return () => {
    const ahead = wallNs() - (monotonic() + offset);
    if (ahead > TOLERANCE_NS || ahead < -TOLERANCE_NS) offset += ahead;
    const now = monotonic() + offset;
    last = now > last ? now : last + 1n;
    return last;
  };
};
