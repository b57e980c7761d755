/**
 * What a node writes on a connection of logs: after four bytes of length (frames.ts) a byte for the kind, four for the task by its
 * number in the order, then what the kind has. Pure; a peer's bytes are read or refused.
 */
import { withLength } from '../session/frames.js';
import { HEARTBEAT_MS, MISSED_BEATS } from '../session/protocol.js';

/** Bytes of one: a line comes in parts of 1 MiB at most (`runtime/logs/entry.ts`), with a last fragment of conmon's. */
export const MOST_RECORD = 2 * 1024 * 1024;
/** of a reason */
const MOST_REASON = 4_096;

/** milliseconds: both ends beat; of whom nothing has come for so long is gone */
export const SILENT_MS = (MISSED_BEATS + 1) * HEARTBEAT_MS;

export interface LineRecord {
  readonly kind: 'stdout' | 'stderr';
  readonly task: number;
  /** RFC 3339, in UTC */
  readonly time: string;
  readonly text: Buffer;
}

export type LogRecord =
  | LineRecord
  /** Nothing more comes of this task; empty: all there was */
  | { readonly kind: 'end'; readonly task: number; readonly reason: string }
  /** It is there, and has nothing to say. */
  | { readonly kind: 'beat' };

const KINDS = ['beat', 'stdout', 'stderr', 'end'] as const;
const HEADER = 5;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$/;
/** of a line whose time cannot be read, as where the disk was full */
const NO_TIME = '1970-01-01T00:00:00.000000000Z';

const withHeader = (kind: LogRecord['kind'], task: number, ...parts: Buffer[]): Buffer => {
  const header = Buffer.alloc(HEADER);
  header.writeUInt8(KINDS.indexOf(kind));
  header.writeUInt32BE(task, 1);
  return withLength(Buffer.concat([header, ...parts]));
};

export const encodeRecord = (record: LogRecord): Buffer => {
  if (record.kind === 'beat') return withHeader('beat', 0);
  if (record.kind === 'end')
    return withHeader('end', record.task, Buffer.from(record.reason).subarray(0, MOST_REASON));
  const time = Buffer.from(TIME.test(record.time) ? record.time : NO_TIME);
  return withHeader(record.kind, record.task, Buffer.from([time.length]), time, record.text);
};

/** Of a body without its length. Throws where it is none. */
export const decodeRecord = (body: Buffer): LogRecord => {
  const kind = KINDS[body[0] ?? KINDS.length];
  if (kind === undefined || body.length < HEADER) throw new Error('a record of no kind');
  const task = body.readUInt32BE(1);
  const rest = body.subarray(HEADER);
  if (kind === 'beat') return { kind };
  if (kind === 'end') return { kind, task, reason: rest.toString('utf8', 0, MOST_REASON) };
  const end = 1 + (rest[0] ?? 0);
  const time = rest.toString('latin1', 1, end);
  if (!TIME.test(time)) throw new Error('a line without a time');
  return { kind, task, time, text: rest.subarray(end) };
};
