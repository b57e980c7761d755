/** Where the last N lines of a log begin, found by reading it backwards, so that the cost follows N and not the file. */
import { fstatSync, readSync } from 'node:fs';
import type { Pace } from '../../pace.js';
import { parseEntry } from './entry.js';

export interface TailStart {
  /** offset at which to begin to read */
  readonly start: number;
  /** lines that end at or before this offset belong to earlier ones and are left out */
  readonly after: number;
}

const BLOCK = 64 * 1024;
const NEWLINE = 0x0a;

/** Physical lines from the end backwards, with their offsets. */
function* linesBackwards(fd: number, end: number): Generator<{ offset: number; line: Buffer }> {
  let rest: Buffer = Buffer.alloc(0);
  let position = end;
  while (position > 0) {
    const size = Math.min(BLOCK, position);
    position -= size;
    const block = Buffer.alloc(size);
    readSync(fd, block, 0, size, position);
    let text = Buffer.concat([block, rest]);
    let newline = text.lastIndexOf(NEWLINE, text.length - 2);
    while (newline >= 0) {
      const line = text.subarray(newline + 1);
      yield { offset: position + newline + 1, line: line.at(-1) === NEWLINE ? line.subarray(0, -1) : line };
      text = text.subarray(0, newline + 1);
      newline = text.length < 2 ? -1 : text.lastIndexOf(NEWLINE, text.length - 2);
    }
    rest = text;
  }
  if (rest.length > 0) yield { offset: 0, line: rest.at(-1) === NEWLINE ? rest.subarray(0, -1) : rest };
}

/**
 * Of the two streams each is finished when the end of an excluded line of its own was met: fragments before it belong
 * to that line. Looking for the second stream's stops after `PATIENCE` bytes.
 */
const PATIENCE = 1 << 20;

export const tailStart = async (fd: number, lines: number, pace: Pace): Promise<TailStart> => {
  const end = fstatSync(fd).size;
  if (lines <= 0) return { start: end, after: end };
  const open = new Set<string>();
  const finished = new Set<string>();
  let count = 0;
  let start = end;
  let after = -1;
  let stopped = -1;
  for (const { offset, line } of linesBackwards(fd, end)) {
    if (pace.due()) await pace.rest();
    const entry = parseEntry(line);
    if (!entry || finished.has(entry.stream)) continue;
    const begins = entry.complete || !open.has(entry.stream);
    if (begins && count === lines) {
      finished.add(entry.stream);
      if (after < 0) after = offset;
      if (stopped < 0) stopped = offset;
    } else {
      if (begins) count += 1;
      open.add(entry.stream);
      start = offset;
    }
    const undecided = [...open].some((stream) => !finished.has(stream));
    if (stopped >= 0 && (!undecided || stopped - offset > PATIENCE)) break;
  }
  return { start, after };
};
