/**
 * DER, as much of it as certificates need (X.690): written in full, read only to find one's way in certificates that OpenSSL
 * has parsed before.
 */
import { invalid } from '../../errors.js';

/** X.690 8.1.2; those of one byte are all there are in a certificate */
export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  utf8: 0x0c,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

/** `[n]` of ASN.1 around other values, or (not constructed) in place of a tag. */
export const context = (n: number, constructed = true): number => 0x80 | (constructed ? 0x20 : 0) | n;

const lengthBytes = (length: number): Buffer => {
  if (length < 0x80) return Buffer.from([length]);
  const hex = length.toString(16);
  const digits = Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex');
  return Buffer.concat([Buffer.from([0x80 | digits.length]), digits]);
};

export const element = (tag: number, ...parts: readonly Buffer[]): Buffer => {
  const content = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([tag]), lengthBytes(content.length), content]);
};

export const sequence = (...parts: readonly Buffer[]): Buffer => element(TAG.sequence, ...parts);

/** Positive; `magnitude` big-endian. */
export const integer = (magnitude: Buffer): Buffer => {
  const start = magnitude.findIndex((byte) => byte !== 0);
  const digits = start < 0 ? Buffer.from([0]) : magnitude.subarray(start);
  const sign = (digits[0] ?? 0) & 0x80 ? Buffer.from([0]) : Buffer.alloc(0);
  return element(TAG.integer, sign, digits);
};

/** Base 128, the highest bit of a byte says that another follows. */
const base128 = (value: number): readonly number[] => {
  const digits = [value & 0x7f];
  for (let rest = value >>> 7; rest > 0; rest >>>= 7) digits.unshift(0x80 | (rest & 0x7f));
  return digits;
};

export const oid = (dotted: string): Buffer => {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  return element(TAG.oid, Buffer.from([first * 40 + second, ...rest.flatMap(base128)]));
};

export const bitString = (bytes: Buffer, unused = 0): Buffer =>
  element(TAG.bitString, Buffer.from([unused]), bytes);

export const octetString = (bytes: Buffer): Buffer => element(TAG.octetString, bytes);
export const utf8 = (text: string): Buffer => element(TAG.utf8, Buffer.from(text));
export const truth = (): Buffer => element(TAG.boolean, Buffer.from([0xff]));
export const nothing = (): Buffer => element(TAG.null);

/** Whole seconds; RFC 5280 4.1.2.5: years from 2050 on have four digits. */
export const time = (ms: number): Buffer => {
  const digits = `${new Date(ms).toISOString().slice(0, 19).replace(/\D/g, '')}Z`;
  return ms < Date.UTC(2050)
    ? element(TAG.utcTime, Buffer.from(digits.slice(2)))
    : element(TAG.generalizedTime, Buffer.from(digits));
};

export interface Element {
  readonly tag: number;
  /** with tag and length */
  readonly whole: Buffer;
  readonly content: Buffer;
}

const malformed = () => invalid('this certificate is not well-formed DER');

const lengthAt = (bytes: Buffer, at: number): readonly [length: number, size: number] => {
  const first = bytes[at] ?? 0x80;
  if (first < 0x80) return [first, 1];
  const digits = first & 0x7f;
  if (digits === 0 || digits > 4 || at + digits >= bytes.length) throw malformed();
  return [bytes.readUIntBE(at + 1, digits), 1 + digits];
};

/** The elements that stand behind each other in `bytes`. Throws invalid. */
export const elementsOf = (bytes: Buffer): readonly Element[] => {
  const found: Element[] = [];
  for (let at = 0; at < bytes.length; ) {
    const [length, size] = lengthAt(bytes, at + 1);
    const begin = at + 1 + size;
    if (begin + length > bytes.length) throw malformed();
    found.push({
      tag: bytes[at] ?? 0,
      whole: bytes.subarray(at, begin + length),
      content: bytes.subarray(begin, begin + length),
    });
    at = begin + length;
  }
  return found;
};
