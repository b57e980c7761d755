/** conmon's k8s-file log lines (`TIME stdout|stderr F|P text`) and how fragments join to what the container wrote. */
import type { LogLine } from '../contract.js';

/** One physical line. `complete`: F, ends a line of the container; P does not. */
export interface LogEntry {
  /** RFC 3339 with nanoseconds, in UTC */
  readonly time: string;
  readonly stream: 'stdout' | 'stderr';
  readonly complete: boolean;
  readonly text: Buffer;
}

/** bytes; a longer line is handed on in parts, so that a container cannot fill our memory with one line */
const LONGEST = 1 << 20;
const SPACE = 0x20;
const NEWLINE = Buffer.from('\n');

/** conmon writes local time with an offset; Docker shows UTC. */
const toUtc = (time: string): string => {
  const match = /^(.{19})\.(\d{9})(Z|[+-]\d\d:\d\d)$/.exec(time);
  if (!match || match[3] === 'Z' || match[3] === '+00:00') return time.replace('+00:00', 'Z');
  const seconds = new Date(`${match[1]}${match[3]}`).toISOString().slice(0, 19);
  return `${seconds}.${match[2]}Z`;
};

/** In milliseconds since the epoch, with the fraction: two times of one millisecond are not the same. */
export const instantOf = (time: string): number =>
  Date.parse(time) + Number(`0.${/^.{23}(\d{1,6})/.exec(time)?.[1] ?? ''}`);

/** Undefined where the line is not conmon's (cut off by a full disk, say). */
export const parseEntry = (line: Buffer): LogEntry | undefined => {
  const first = line.indexOf(SPACE);
  const second = line.indexOf(SPACE, first + 1);
  if (first < 20 || second < 0 || line.length < second + 2) return undefined;
  const stream = line.toString('latin1', first + 1, second);
  const tag = line[second + 1];
  if ((stream !== 'stdout' && stream !== 'stderr') || (tag !== 0x46 && tag !== 0x50)) return undefined;
  return {
    time: toUtc(line.toString('latin1', 0, first)),
    stream,
    complete: tag === 0x46,
    text: line.subarray(Math.min(second + 3, line.length)),
  };
};

/** Joins fragments per stream. `flush` gives what has no line end (yet). */
export interface Joiner {
  add(entry: LogEntry): LogLine | undefined;
  flush(): readonly LogLine[];
}

export const joiner = (): Joiner => {
  const open = new Map<LogEntry['stream'], { time: string; parts: Buffer[]; length: number }>();
  return {
    add: (entry) => {
      const { stream, text } = entry;
      const begun = open.get(stream) ?? { time: entry.time, parts: [], length: 0 };
      begun.parts.push(text);
      begun.length += text.length;
      if (!entry.complete && begun.length < LONGEST) {
        open.set(stream, begun);
        return undefined;
      }
      open.delete(stream);
      const parts = entry.complete ? [...begun.parts, NEWLINE] : begun.parts;
      return { stream, time: begun.time, text: Buffer.concat(parts) };
    },
    flush: () => {
      const rest = [...open].map(([stream, { time, parts }]) => ({
        stream,
        time,
        text: Buffer.concat(parts),
      }));
      open.clear();
      return rest;
    },
  };
};
