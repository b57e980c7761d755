/**
 * DNS messages on the wire (RFC 1035, RFC 6891), hand-written for the hot path: one question is read, one answer is
 * written, everything else passes as raw bytes. Invariants: no byte outside [start, end) is read, no input throws,
 * work is linear in the message's length.
 */

export const TYPE = { A: 1, PTR: 12, AAAA: 28, SRV: 33, OPT: 41, ANY: 255 } as const;
export const CLASS = { IN: 1, ANY: 255 } as const;
export const RCODE = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
} as const;
/** Bits of the header's second word. */
const FLAG = { QR: 0x8000, TC: 0x0200, RD: 0x0100, RA: 0x0080, CD: 0x0010 } as const;

export const HEADER_LENGTH = 12;
/** What a client without EDNS takes over UDP. */
const MIN_SIZE = 512;
const MAX_NAME = 255;
const OPT_LENGTH = 11;
/** Questions carry at most an OPT and a TSIG record; more is refused, as miekg/dns does for dockerd. */
const MAX_ADDITIONAL = 2;

/** A well-formed question, as read. Offsets are relative to the message's start. */
export interface Query {
  readonly id: number;
  readonly flags: number;
  /** lower case, no trailing dot; bytes other than letters, digits, `-`, `_` and printable ones as `\DDD` */
  readonly name: string;
  readonly type: number;
  readonly class: number;
  /** end of the question section */
  readonly questionEnd: number;
  /** size the client announced by EDNS, 0: no EDNS */
  readonly udpSize: number;
  /** EDNS version; only 0 is known */
  readonly version: number;
}

/** What a message that is no good question deserves: silence, or a header with this code. */
export type Rejection = 'ignore' | typeof RCODE.FORMERR | typeof RCODE.NOTIMP;

const u16 = (b: Uint8Array, at: number): number => ((b[at] ?? 0) << 8) | (b[at + 1] ?? 0);
export const setU16 = (b: Uint8Array, at: number, value: number): void => {
  b[at] = value >> 8;
  b[at + 1] = value & 0xff;
};

const escaped = (byte: number): string => `\\${String(byte).padStart(3, '0')}`;

/** Rare names with unusual bytes, written so that no two different names share a text. */
const unusualName = (b: Uint8Array, start: number, end: number): string => {
  let out = '';
  for (let at = start; at < end; ) {
    const length = b[at] ?? 0;
    if (at > start) out += '.';
    for (let i = at + 1; i <= at + length; i += 1) {
      const c = b[i] ?? 0;
      const upper = c >= 65 && c <= 90;
      const plain = c > 32 && c < 127 && c !== 46 && c !== 92;
      out += plain ? String.fromCharCode(upper ? c + 32 : c) : escaped(c);
    }
    at += length + 1;
  }
  return out;
};

const scratch = Buffer.allocUnsafeSlow(MAX_NAME + 1);
/** Where the last `readName` ended; a second result without an allocation. */
let nameEnd = 0;

/** An uncompressed name at `start`; undefined where it is malformed or compressed (no question's name may be). */
const readName = (b: Uint8Array, start: number, end: number): string | undefined => {
  let at = start;
  let n = 0;
  let unusual = false;
  for (;;) {
    if (at >= end) return undefined;
    const length = b[at] ?? 0;
    if (length === 0) break;
    if (length > 63 || at + length >= end || at + length + 1 - start >= MAX_NAME) return undefined;
    if (n > 0) scratch[n++] = 46;
    for (let i = at + 1; i <= at + length; i += 1) {
      const c = b[i] ?? 0;
      if (c <= 32 || c >= 127 || c === 46 || c === 92) unusual = true;
      scratch[n++] = c >= 65 && c <= 90 ? c + 32 : c;
    }
    at += length + 1;
  }
  nameEnd = at + 1;
  return unusual ? unusualName(b, start, at) : scratch.toString('latin1', 0, n);
};

/** End of a possibly compressed name, or -1. A pointer ends it and is not followed, so there are no loops. */
const skipName = (b: Uint8Array, start: number, end: number): number => {
  for (let at = start; at < end; ) {
    const length = b[at] ?? 0;
    if (length === 0) return at + 1;
    if ((length & 0xc0) === 0xc0) return at + 2 <= end ? at + 2 : -1;
    if (length > 63) return -1;
    at += length + 1;
  }
  return -1;
};

/** Client's size and EDNS version among the additional records; undefined: malformed. */
const readOpt = (
  b: Uint8Array,
  start: number,
  end: number,
  count: number,
): { size: number; version: number } | undefined => {
  let found = { size: 0, version: 0 };
  let at = start;
  for (let i = 0; i < count; i += 1) {
    const name = skipName(b, at, end);
    if (name < 0 || name + 10 > end) return undefined;
    if (u16(b, name) === TYPE.OPT)
      found = { size: Math.max(u16(b, name + 2), MIN_SIZE), version: b[name + 5] ?? 0 };
    at = name + 10 + u16(b, name + 8);
    if (at > end) return undefined;
  }
  return found;
};

const NO_EDNS = { size: 0, version: 0 };

/** Reads the question in the first `end` bytes of `message`: a query with exactly one question and nothing else but EDNS. */
export const parseQuery = (message: Uint8Array, end: number = message.length): Query | Rejection => {
  if (end < HEADER_LENGTH) return 'ignore';
  const flags = u16(message, 2);
  if (flags & FLAG.QR) return 'ignore';
  if (flags & 0x7800) return RCODE.NOTIMP;
  const additional = u16(message, 10);
  if (u16(message, 4) !== 1 || u16(message, 6) !== 0 || u16(message, 8) !== 0 || additional > MAX_ADDITIONAL)
    return RCODE.FORMERR;
  const name = readName(message, HEADER_LENGTH, end);
  const at = nameEnd;
  if (name === undefined || at + 4 > end) return RCODE.FORMERR;
  const edns = additional === 0 ? NO_EDNS : readOpt(message, at + 4, end, additional);
  if (edns === undefined) return RCODE.FORMERR;
  return {
    id: u16(message, 0),
    flags,
    name,
    type: u16(message, at),
    class: u16(message, at + 2),
    questionEnd: at + 4,
    udpSize: edns.size,
    version: edns.version,
  };
};

/** One record of an answer about the question's own name. */
export interface AnswerRecord {
  readonly type: number;
  readonly data: Uint8Array;
}

/** Opcode, RD and CD come back as asked; we always offer recursion. */
const answerFlags = (flags: number, rcode: number): number =>
  FLAG.QR | FLAG.RA | (flags & (0x7800 | FLAG.RD | FLAG.CD)) | (rcode & 0xf);

/** A bare header with a code, for messages whose question could not be read. Answers its length. */
export const writeRejection = (message: Uint8Array, rcode: number, out: Uint8Array): number => {
  out.fill(0, 0, HEADER_LENGTH);
  setU16(out, 0, u16(message, 0));
  setU16(out, 2, answerFlags(u16(message, 2), rcode));
  return HEADER_LENGTH;
};

const writeOpt = (out: Uint8Array, at: number, size: number, extendedRcode: number): void => {
  out.fill(0, at, at + OPT_LENGTH);
  out[at + 2] = TYPE.OPT;
  setU16(out, at + 3, size);
  out[at + 5] = extendedRcode;
};

/** Size we take over UDP and announce, in bytes. */
export const OUR_UDP_SIZE = 4096;

/**
 * Writes the answer to `query` (whose bytes are `message`) into `out`, at most `limit` bytes: records that no longer fit
 * are left out and TC is set. `additional` records name themselves. Answers the length.
 */
export const writeAnswer = (
  message: Uint8Array,
  query: Query,
  rcode: number,
  ttl: number,
  answers: readonly AnswerRecord[],
  additional: readonly Uint8Array[],
  out: Uint8Array,
  limit: number,
): number => {
  const room = Math.min(limit, out.length) - (query.udpSize > 0 ? OPT_LENGTH : 0);
  let at = query.questionEnd;
  for (let i = HEADER_LENGTH; i < at; i += 1) out[i] = message[i] ?? 0;
  let count = 0;
  for (const record of answers) {
    const length = 12 + record.data.length;
    if (at + length > room) break;
    // 0xc00c: the question's name, at offset 12
    setU16(out, at, 0xc00c);
    setU16(out, at + 2, record.type);
    setU16(out, at + 4, CLASS.IN);
    setU16(out, at + 6, ttl >> 16);
    setU16(out, at + 8, ttl & 0xffff);
    setU16(out, at + 10, record.data.length);
    out.set(record.data, at + 12);
    at += length;
    count += 1;
  }
  let extra = 0;
  for (const record of additional) {
    if (at + record.length > room) break;
    out.set(record, at);
    at += record.length;
    extra += 1;
  }
  if (query.udpSize > 0) {
    writeOpt(out, at, OUR_UDP_SIZE, rcode >> 4);
    at += OPT_LENGTH;
    extra += 1;
  }
  setU16(out, 0, query.id);
  setU16(out, 2, answerFlags(query.flags, rcode) | (count < answers.length ? FLAG.TC : 0));
  setU16(out, 4, 1);
  setU16(out, 6, count);
  setU16(out, 8, 0);
  setU16(out, 10, extra);
  return at;
};

/** A name as labels, uncompressed; undefined where it cannot be one (label over 63 bytes, name over 255). */
export const nameBytes = (name: string): Uint8Array | undefined => {
  const labels = name === '' ? [] : name.split('.').map((label) => Buffer.from(label, 'latin1'));
  if (labels.some((label) => label.length === 0 || label.length > 63)) return undefined;
  const bytes = Buffer.concat([...labels.flatMap((label) => [Buffer.of(label.length), label]), Buffer.of(0)]);
  return bytes.length > MAX_NAME ? undefined : bytes;
};

const lower = (c: number): number => (c >= 65 && c <= 90 ? c + 32 : c);

/**
 * Is `answer` a reply to the question `asked` (both whole messages), sent under `id`? Names compare without case, as some
 * servers change it. A refusal may come without its question.
 */
export const isReply = (answer: Uint8Array, asked: Uint8Array, questionEnd: number, id: number): boolean => {
  if (answer.length < HEADER_LENGTH || u16(answer, 0) !== id || !(u16(answer, 2) & FLAG.QR)) return false;
  const rcode = rcodeOf(answer);
  if (u16(answer, 4) === 0) return rcode !== RCODE.NOERROR && rcode !== RCODE.NXDOMAIN;
  if (u16(answer, 4) !== 1 || answer.length < questionEnd) return false;
  for (let i = HEADER_LENGTH; i < questionEnd - 4; i += 1)
    if (lower(answer[i] ?? 0) !== lower(asked[i] ?? 0)) return false;
  for (let i = questionEnd - 4; i < questionEnd; i += 1) if (answer[i] !== asked[i]) return false;
  return true;
};

export const rcodeOf = (message: Uint8Array): number => (message[3] ?? 0) & 0xf;
