/**
 * Netlink messages and attributes as bytes (`include/uapi/linux/netlink.h`). Pure. Little-endian as the machine is;
 * nfnetlink's big-endian values are `attrU32be` and `attrU16be`. Reading is strict: a length that does not fit is EPROTO.
 */
import { EPROTO } from '../errno.js';
import { KernelError } from '../errors.js';

/** Flags of `nlmsghdr`; the same bit means different things for get, new and delete requests. */
export const NLM_F = {
  REQUEST: 0x1,
  ACK: 0x4,
  ECHO: 0x8,
  DUMP_INTR: 0x10,
  REPLACE: 0x100,
  EXCL: 0x200,
  CREATE: 0x400,
  APPEND: 0x800,
  DUMP: 0x300,
} as const;

export const HEADER = 16;
const NLA_TYPE = 0x3fff;
const NLA_F_NESTED = 0x8000;
export const padded = (n: number): number => (n + 3) & ~3;

/** One attribute: `type`, then the parts one behind the other, padded to four bytes. */
export const attr = (type: number, ...parts: readonly Buffer[]): Buffer => {
  let length = 4;
  for (const part of parts) length += part.length;
  const out = Buffer.alloc(padded(length));
  out.writeUInt16LE(length, 0);
  out.writeUInt16LE(type, 2);
  let at = 4;
  for (const part of parts) at += part.copy(out, at);
  return out;
};
/** An attribute that holds attributes. */
export const nested = (type: number, ...attributes: readonly Buffer[]): Buffer =>
  attr(type | NLA_F_NESTED, ...attributes);

const scalar =
  (size: number, write: (into: Buffer, value: number) => void) =>
  (type: number, value: number): Buffer => {
    const out = Buffer.alloc(4 + padded(size));
    out.writeUInt16LE(4 + size, 0);
    out.writeUInt16LE(type, 2);
    write(out, value);
    return out;
  };
export const attrU8 = scalar(1, (b, v) => b.writeUInt8(v, 4));
export const attrU16 = scalar(2, (b, v) => b.writeUInt16LE(v, 4));
export const attrU16be = scalar(2, (b, v) => b.writeUInt16BE(v, 4));
export const attrU32 = scalar(4, (b, v) => b.writeUInt32LE(v, 4));
export const attrU32be = scalar(4, (b, v) => b.writeUInt32BE(v, 4));
/** Text with its closing NUL. */
export const attrStr = (type: number, text: string): Buffer => attr(type, Buffer.from(`${text}\0`));

/** A message: header, then the parts (each already padded to four bytes). `NLM_F.REQUEST` is added. */
export const message = (type: number, flags: number, ...parts: readonly Buffer[]): Buffer => {
  let length = HEADER;
  for (const part of parts) length += part.length;
  const out = Buffer.alloc(padded(length));
  out.writeUInt32LE(length, 0);
  out.writeUInt16LE(type, 4);
  out.writeUInt16LE(flags | NLM_F.REQUEST, 6);
  let at = HEADER;
  for (const part of parts) at += part.copy(out, at);
  return out;
};
export const messageType = (m: Buffer): number => m.readUInt16LE(4);
export const messageFlags = (m: Buffer): number => m.readUInt16LE(6);
export const messagePort = (m: Buffer): number => m.readUInt32LE(12);

export interface Attribute {
  /** without the nested and byte-order flags */
  readonly type: number;
  readonly value: Buffer;
}

/** Throws EPROTO where a length does not fit. */
/** A buffer is made for those of `wanted` types only, where they are named: of a link's forty attributes most are nobody's. */
const eachAttribute = (
  from: Buffer,
  visit: (type: number, value: Buffer) => void,
  wanted?: ReadonlySet<number>,
): void => {
  for (let at = 0; at + 4 <= from.length; ) {
    const length = from.readUInt16LE(at);
    if (length < 4 || at + length > from.length)
      throw new KernelError(EPROTO, 'netlink parse', `attribute of ${length} bytes at ${at}`);
    const type = from.readUInt16LE(at + 2) & NLA_TYPE;
    if (!wanted || wanted.has(type)) visit(type, from.subarray(at + 4, at + length));
    at += padded(length);
  }
};

/** Attributes in order, repeated ones included. Throws EPROTO where a length does not fit. */
export const listAttributes = (from: Buffer): readonly Attribute[] => {
  const found: Attribute[] = [];
  eachAttribute(from, (type, value) => found.push({ type, value }));
  return found;
};
/** The value of one attribute of a message whose attributes begin at `start`; no other is looked into. */
export const readAttribute = (m: Buffer, start: number, type: number): Buffer | undefined => {
  for (let at = start; at + 4 <= m.length; ) {
    const length = m.readUInt16LE(at);
    if (length < 4 || at + length > m.length) return undefined;
    if ((m.readUInt16LE(at + 2) & NLA_TYPE) === type) return m.subarray(at + 4, at + length);
    at += padded(length);
  }
  return undefined;
};
/** Attributes by type, of the `wanted` ones or of all; of a repeated one the last. */
export const parseAttributes = (from: Buffer, wanted?: ReadonlySet<number>): ReadonlyMap<number, Buffer> => {
  const found = new Map<number, Buffer>();
  eachAttribute(from, (type, value) => found.set(type, value), wanted);
  return found;
};
/** The text of a string attribute, without the closing NUL. */
export const attrText = (value: Buffer): string => {
  const end = value.indexOf(0);
  return value.toString('utf8', 0, end < 0 ? value.length : end);
};

/** Splits a datagram into its messages; throws EPROTO on one that is cut. */
export const splitMessages = (datagram: Buffer): readonly Buffer[] => {
  const found: Buffer[] = [];
  for (let at = 0; at + HEADER <= datagram.length; ) {
    const length = datagram.readUInt32LE(at);
    if (length < HEADER || at + length > datagram.length)
      throw new KernelError(EPROTO, 'netlink parse', `message of ${length} bytes at ${at}`);
    found.push(datagram.subarray(at, at + length));
    at += padded(length);
  }
  return found;
};
