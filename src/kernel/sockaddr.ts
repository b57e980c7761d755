/**
 * Addresses as bytes: texts to 4 or 16 bytes and back, and the kernel's `sockaddr_in`/`sockaddr_in6` around them
 * (`include/uapi/linux/in.h`, `in6.h`). Strict: what `net.isIP` refuses (leading zeros, hexadecimal) has no bytes.
 */
import { isIPv4, isIPv6 } from 'node:net';
import { AF } from './ffi.js';

const ipv4Bytes = (text: string): Uint8Array => Uint8Array.from(text.split('.', 4), Number);

/** `::ffff:10.0.0.1` → `::ffff:a00:1` */
const withoutDots = (text: string): string => {
  if (!text.includes('.')) return text;
  const cut = text.lastIndexOf(':') + 1;
  const [a = 0, b = 0, c = 0, d = 0] = ipv4Bytes(text.slice(cut));
  return `${text.slice(0, cut)}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
};

const ipv6Bytes = (text: string): Uint8Array => {
  const [head = '', tail] = withoutDots(text).split('::', 2);
  const groups = (part: string): number[] =>
    part === '' ? [] : part.split(':').map((g) => Number.parseInt(g, 16));
  const left = groups(head);
  const right = tail === undefined ? [] : groups(tail);
  const all = [...left, ...new Array<number>(8 - left.length - right.length).fill(0), ...right];
  const bytes = new Uint8Array(16);
  all.forEach((group, i) => {
    bytes[2 * i] = group >> 8;
    bytes[2 * i + 1] = group & 0xff;
  });
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
  if (bytes.length === 4) return bytes.join('.');
  const groups = Array.from({ length: 8 }, (_, i) => ((bytes[2 * i] ?? 0) << 8) | (bytes[2 * i + 1] ?? 0));
  const hex = (part: readonly number[]): string => part.map((g) => g.toString(16)).join(':');
  const [start, length] = longestZeros(groups);
  return start < 0 ? hex(groups) : `${hex(groups.slice(0, start))}::${hex(groups.slice(start + length))}`;
};

/** `sockaddr_in` (16 bytes) or `sockaddr_in6` (28 bytes); `scope` is an interface index for link-local addresses. */
export const sockaddr = (address: string, port: number, scope = 0): Buffer => {
  const bytes = addressBytes(address);
  if (bytes === undefined) throw new TypeError(`not an IP address: ${address.slice(0, 64)}`);
  const out = Buffer.alloc(bytes.length === 4 ? 16 : 28);
  out.writeUInt16LE(bytes.length === 4 ? AF.INET : AF.INET6, 0);
  out.writeUInt16BE(port, 2);
  out.set(bytes, bytes.length === 4 ? 4 : 8);
  if (bytes.length === 16) out.writeUInt32LE(scope, 24);
  return out;
};

export interface SocketAddress {
  readonly address: string;
  readonly port: number;
}

/** What the kernel wrote; undefined for families other than IPv4 and IPv6. */
export const parseSockaddr = (raw: Buffer): SocketAddress | undefined => {
  if (raw.length < 16) return undefined;
  const family = raw.readUInt16LE(0);
  const port = raw.readUInt16BE(2);
  if (family === AF.INET) return { address: addressText(raw.subarray(4, 8)), port };
  if (family === AF.INET6 && raw.length >= 24) return { address: addressText(raw.subarray(8, 24)), port };
  return undefined;
};
