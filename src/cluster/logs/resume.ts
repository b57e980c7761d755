/**
 * Where a reader of a log stopped, so that another reading goes on behind it. conmon writes one time for all lines of a read, so a time
 * alone does not say which was the last. Pure.
 */

/** All before `time` was had, and of the lines with that very time so many. */
export interface Place {
  /** RFC 3339, in UTC */
  readonly time: string;
  readonly lines: number;
}

export const placeAfter = (place: Place | undefined, time: string): Place =>
  place?.time === time ? { time, lines: place.lines + 1 } : { time, lines: 1 };

/** Answers of each line, in order, whether it is behind the place. The log is read from the beginning, or from a time up to the place's. */
export const isBehind = (place: Place | undefined): ((time: string) => boolean) => {
  let had = place?.lines ?? 0;
  let behind = place === undefined;
  return (time) => {
    if (behind || !place) return true;
    if (time === place.time && had > 0) {
      had -= 1;
      return false;
    }
    behind = time >= place.time;
    return behind;
  };
};
