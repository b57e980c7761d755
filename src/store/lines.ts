/**
 * The format of the journal (the tail): one line a commit. Each counts on from the one before it, and its checksum goes over that one's: a line that
 * is missing, old, or of another history goes on from nothing. A zero byte ends those of a tail. A line is marked at its begin,
 * so that no single byte can take it away unnoticed.
 */
import { checksum } from './values.js';

/** A moment: how many commits there had been, and the checksum of the last. */
export interface Point {
  readonly seq: number;
  readonly sum: string;
}

export const BEGINNING: Point = { seq: 0, sum: '0'.repeat(16) };

const NUL = 0;
const NEWLINE = 10;
const MARK = '+';
/** `+<count> <checksum> <JSON>` */
const LINE = /^\+([0-9]{1,16}) ([0-9a-f]{16}) (.*)$/s;
/** Bytes laid out at a time: a file has so many at the least. */
export const RESERVE = 1 << 20;

const after = ({ seq, sum }: Point, json: string): Point => ({
  seq: seq + 1,
  sum: checksum(sum, String(seq + 1), json),
});

/** What is written, with the zero that the next one is written over; and the moment behind it. */
export const lineOf = (from: Point, json: string): { readonly point: Point; readonly bytes: Buffer } => {
  const point = after(from, json);
  return { point, bytes: Buffer.from(`${MARK}${point.seq} ${point.sum} ${json}\n\0`) };
};

/** undefined: it is not whole, or goes on from something else. */
const parse = (from: Point, text: string) => {
  const [, seq, sum, json = ''] = LINE.exec(text) ?? [];
  const point = after(from, json);
  return sum === point.sum && seq === String(point.seq) ? { point, json } : undefined;
};

/** The lines up to the first that `take` refuses. `at`: where they end; `end`: where the text does. */
const linesIn = (all: Buffer, take: (text: string) => boolean) => {
  const zero = all.indexOf(NUL);
  const end = zero < 0 ? all.length : zero;
  let at = 0;
  for (;;) {
    const newline = all.indexOf(NEWLINE, at);
    if (newline < 0 || newline >= end || !take(all.toString('utf8', at, newline))) return { at, end };
    at = newline + 1;
  }
};

/** A line behind the end that goes on from the last: the end was not there when it was written. */
const goesOn = (all: Buffer, end: number, from: Point): boolean =>
  all.includes(`${from.seq + 1} `, end + 1) &&
  all
    .toString('utf8', end + 1)
    .split(/[\n\0]+/)
    .some((text) => parse(from, text) ?? parse(from, `${MARK}${text}`));

/** What is in a file, as far as it is whole, and the moment behind it. `from`: what the first line must go on from. */
export const commitsIn = <T>(all: Buffer, from: Point) => {
  const commits: T[] = [];
  let point = from;
  const ends = linesIn(all, (text) => {
    const line = parse(point, text);
    if (line === undefined) return false;
    commits.push(JSON.parse(line.json) as T); // `lineOf` wrote it
    point = line.point;
    return true;
  });
  return { commits, point, ...ends };
};

/** What is wrong with a tail behind its lines: one that was being written when the daemon died, or damage. */
export const damageOf = (
  all: Buffer,
  { point, at, end }: ReturnType<typeof commitsIn>,
): string | undefined => {
  if (at < end) return 'a line of the journal is not whole: it and what follows are not known';
  if (end === all.length || all.length < RESERVE) return 'the journal was cut short';
  return goesOn(all, end, point) ? 'the journal ends too soon: what follows is not known' : undefined;
};
