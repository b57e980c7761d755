/**
 * MessagePack, as much of it as Serf's RPC speaks (github.com/msgpack/msgpack/blob/master/spec.md): maps with names, lists, texts,
 * bytes, whole numbers, floats, truth values. Pure. Maps become objects without a prototype, so no name means anything.
 */
import { isUtf8 } from 'node:buffer';
import { internal } from '../../errors.js';

export type Packable =
  | string
  | number
  | boolean
  | Buffer
  | readonly Packable[]
  | { readonly [name: string]: Packable };

const head = (tag: number, size: 1 | 2 | 4, value: number): Buffer => {
  const out = Buffer.alloc(1 + size);
  out[0] = tag;
  out.writeUIntBE(value, 1, size);
  return out;
};

/** The short form where the length fits it, else with two bytes, else with four. */
const sized = (short: number, most: number, two: number, length: number): Buffer => {
  if (length <= most) return Buffer.from([short | length]);
  return length < 0x10000 ? head(two, 2, length) : head(two + 1, 4, length);
};

const packNumber = (value: number): Buffer => {
  if (Number.isInteger(value) && value >= 0 && value < 0x80) return Buffer.from([value]);
  if (Number.isInteger(value) && value >= 0 && value < 0x1_0000_0000) return head(0xce, 4, value);
  const out = Buffer.alloc(9);
  out[0] = 0xcb;
  out.writeDoubleBE(value, 1);
  return out;
};

export const pack = (value: Packable): Buffer => {
  if (typeof value === 'number') return packNumber(value);
  if (typeof value === 'boolean') return Buffer.from([value ? 0xc3 : 0xc2]);
  if (typeof value === 'string') {
    const bytes = Buffer.from(value);
    return Buffer.concat([sized(0xa0, 31, 0xda, bytes.length), bytes]);
  }
  if (Buffer.isBuffer(value)) return Buffer.concat([head(0xc6, 4, value.length), value]);
  if (Array.isArray(value)) return Buffer.concat([sized(0x90, 15, 0xdc, value.length), ...value.map(pack)]);
  const entries = Object.entries(value as Readonly<Record<string, Packable>>); // all else was asked for
  return Buffer.concat([
    sized(0x80, 15, 0xde, entries.length),
    ...entries.flatMap(([name, each]) => [pack(name), pack(each)]),
  ]);
};

/** More is needed; not an error. */
class Incomplete extends Error {}

const DEEPEST = 16;

/** Text that is not UTF-8 stays bytes: Go's older encoders write bytes as text. */
const text = (bytes: Buffer): string | Buffer =>
  isUtf8(bytes) ? bytes.toString('utf8') : Buffer.from(bytes);

class Reader {
  at = 0;
  constructor(private readonly bytes: Buffer) {}

  take(length: number): Buffer {
    if (this.at + length > this.bytes.length) throw new Incomplete();
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }
  unsigned(size: 1 | 2 | 4): number {
    return this.take(size).readUIntBE(0, size);
  }
  list(length: number, depth: number): unknown[] {
    const out: unknown[] = [];
    for (let i = 0; i < length; i += 1) out.push(this.value(depth + 1));
    return out;
  }
  map(length: number, depth: number): Record<string, unknown> {
    const out: Record<string, unknown> = Object.create(null);
    for (let i = 0; i < length; i += 1) {
      const name = this.value(depth + 1);
      if (typeof name !== 'string') throw internal('Serf’s RPC: a map whose names are not texts');
      out[name] = this.value(depth + 1);
    }
    return out;
  }
  value(depth = 0): unknown {
    if (depth > DEEPEST) throw internal('Serf’s RPC: an answer of too many levels');
    const tag = this.unsigned(1);
    if (tag < 0x80) return tag;
    if (tag < 0x90) return this.map(tag & 0x0f, depth);
    if (tag < 0xa0) return this.list(tag & 0x0f, depth);
    if (tag < 0xc0) return text(this.take(tag & 0x1f));
    if (tag >= 0xe0) return tag - 0x100;
    return this.long(tag, depth);
  }
  long(tag: number, depth: number): unknown {
    switch (tag) {
      case 0xc0:
        return undefined;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xc4:
        return Buffer.from(this.take(this.unsigned(1)));
      case 0xc5:
        return Buffer.from(this.take(this.unsigned(2)));
      case 0xc6:
        return Buffer.from(this.take(this.unsigned(4)));
      case 0xca:
        return this.take(4).readFloatBE();
      case 0xcb:
        return this.take(8).readDoubleBE();
      case 0xcc:
        return this.unsigned(1);
      case 0xcd:
        return this.unsigned(2);
      case 0xce:
        return this.unsigned(4);
      case 0xcf:
        return Number(this.take(8).readBigUInt64BE());
      case 0xd0:
        return this.take(1).readInt8();
      case 0xd1:
        return this.take(2).readInt16BE();
      case 0xd2:
        return this.take(4).readInt32BE();
      case 0xd3:
        return Number(this.take(8).readBigInt64BE());
      case 0xd9:
        return text(this.take(this.unsigned(1)));
      case 0xda:
        return text(this.take(this.unsigned(2)));
      case 0xdb:
        return text(this.take(this.unsigned(4)));
      case 0xdc:
        return this.list(this.unsigned(2), depth);
      case 0xdd:
        return this.list(this.unsigned(4), depth);
      case 0xde:
        return this.map(this.unsigned(2), depth);
      case 0xdf:
        return this.map(this.unsigned(4), depth);
      default:
        throw internal(`Serf’s RPC: an answer with the unknown tag ${tag}`);
    }
  }
}

/** The first value and the bytes behind it; undefined: it is not all there. Throws internal for what is not MessagePack. */
export const unpack = (bytes: Buffer): { readonly value: unknown; readonly rest: Buffer } | undefined => {
  const reader = new Reader(bytes);
  try {
    const value = reader.value();
    return { value, rest: bytes.subarray(reader.at) };
  } catch (error) {
    if (error instanceof Incomplete) return undefined;
    throw error;
  }
};
