/**
 * Addresses as bytes: texts to 4 or 16 bytes in network order, and back. Strict: what `net.isIP` refuses (leading zeros,
 * hexadecimal) has no bytes.
 */
import { isIPv4, isIPv6 } from 'node:net';

const ipv4Bytes = (text: string): Uint8Array => {
  const [a, b, c, d] = text.split('.', 4);
  return Uint8Array.of(Number(a), Number(b), Number(c), Number(d));
};

/** `::ffff:10.0.0.1` → `::ffff:a00:1` */
const withoutDots = (text: string): string => {
  if (!text.includes('.')) return text;
  const cut = text.lastIndexOf(':') + 1;
  const [a = 0, b = 0, c = 0, d = 0] = ipv4Bytes(text.slice(cut));
  return `${text.slice(0, cut)}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
};

const ipv6Bytes = (text: string): Uint8Array => {
  const [head = '', tail = ''] = withoutDots(text).split('::', 2);
  const bytes = new Uint8Array(16);
  const write = (groups: readonly string[], at: number): void =>
    groups.forEach((text, i) => {
      const group = Number.parseInt(text, 16);
      bytes[at + 2 * i] = group >> 8;
      bytes[at + 2 * i + 1] = group & 0xff;
    });
  const [left, right] = [head, tail].map((part) => (part === '' ? [] : part.split(':')));
  write(left ?? [], 0);
  write(right ?? [], 16 - 2 * (right?.length ?? 0));
  return bytes;
};

/** 4 or 16 bytes in network order; undefined where the text is no address. An IPv6 zone (`%eth0`) is left out. */
export const addressBytes = (text: string): Uint8Array | undefined => {
  if (isIPv4(text)) return ipv4Bytes(text);
  if (!isIPv6(text)) return undefined;
  const zone = text.indexOf('%');
  return ipv6Bytes(zone < 0 ? text : text.slice(0, zone));
};

/** The longest run of at least two zero groups, as RFC 5952 shortens it: start and length. */
const longestZeros = (groups: readonly number[]): readonly [number, number] => {
  let best: readonly [number, number] = [-1, 1];
  for (let i = 0; i < 8; i += 1) {
    let n = 0;
    while (i + n < 8 && groups[i + n] === 0) n += 1;
    if (n > best[1]) best = [i, n];
    i += n;
  }
  return best;
};

/** Canonical text (RFC 5952) of 4 or 16 bytes. */
export const addressText = (bytes: Uint8Array): string => {
  if (bytes.length === 4) return `${bytes[0]}.${bytes[1]}.${bytes[2]}.${bytes[3]}`;
  const groups = Array.from({ length: 8 }, (_, i) => ((bytes[2 * i] ?? 0) << 8) | (bytes[2 * i + 1] ?? 0));
  const hex = (part: readonly number[]): string => part.map((g) => g.toString(16)).join(':');
  const [start, length] = longestZeros(groups);
  return start < 0 ? hex(groups) : `${hex(groups.slice(0, start))}::${hex(groups.slice(start + length))}`;
};

/** Canonical text of an address in any spelling; what is none stays as it is. */
export const canonicalAddress = (text: string): string => {
  const bytes = addressBytes(text);
  return bytes === undefined ? text : addressText(bytes);
};
