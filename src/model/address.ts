/**
 * IPv4 and IPv6 addresses and prefixes: strict parsing, arithmetic, canonical text (RFC 5952). Values are bigints of 32
 * or 128 bits. A text that two programs could read differently (`010.0.0.1`, `0x50`, a zone, spaces) is no address.
 * Parsing is linear and looks at lengths first, so hostile text of any size costs nothing.
 */

import { isIPv4 } from 'node:net';
import { addressBytes, addressText } from './address-bytes.js';
import type { Family } from './network.js';

export interface Address {
  readonly family: Family;
  readonly value: bigint;
}

/** A CIDR; `value` may carry host bits until `masked`. */
export interface Prefix extends Address {
  /** prefix length, 0–32 or 0–128 */
  readonly bits: number;
}

/** Bits in an address of the family. */
export const width = (family: Family): 32 | 128 => (family === 4 ? 32 : 128);

const LONGEST_ADDRESS = 'ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255'.length;
/** The 32 bits of a dotted quad: nearly every address is one, so bytes are not made of it. */
const quad = (text: string): number => text.split('.').reduce((value, byte) => value * 256 + Number(byte), 0);

const MAPPED = 0xffffn << 32n;

/** An address, or undefined. IPv4-mapped IPv6 (`::ffff:10.0.0.1`) is the IPv4 address it names, as in Docker. */
export const parseAddress = (text: string): Address | undefined => {
  if (text.length > LONGEST_ADDRESS || text.includes('%')) return undefined;
  if (isIPv4(text)) return { family: 4, value: BigInt(quad(text)) };
  const bytes = addressBytes(text);
  if (!bytes) return undefined;
  const view = new DataView(bytes.buffer);
  const value = (view.getBigUint64(0) << 64n) | view.getBigUint64(8);
  return value >> 32n === 0xffffn ? { family: 4, value: value - MAPPED } : { family: 6, value };
};

const LENGTH = /^(?:0|[1-9]\d{0,2})$/;

/** A CIDR, host bits kept, or undefined. */
export const parsePrefix = (text: string): Prefix | undefined => {
  if (text.length > LONGEST_ADDRESS + 4) return undefined;
  const slash = text.indexOf('/');
  const address = slash < 0 ? undefined : parseAddress(text.slice(0, slash));
  if (!address || (address.family === 4 && text.includes(':'))) return undefined;
  const length = text.slice(slash + 1);
  const bits = LENGTH.test(length) ? Number(length) : Number.POSITIVE_INFINITY;
  return bits > width(address.family) ? undefined : { ...address, bits };
};

/** What of a user's text may be repeated in a message: short, printable. */
export const shown = (text: string): string => {
  const head = text.slice(0, 100).replace(/[^\x20-\x7e]/g, '?');
  return text.length > 100 ? `${head}…` : head;
};

export const formatAddress = ({ family, value }: Address): string => {
  if (family === 4) {
    const n = Number(value);
    return `${n >>> 24}.${(n >>> 16) & 255}.${(n >>> 8) & 255}.${n & 255}`;
  }
  const view = new DataView(new ArrayBuffer(16));
  view.setBigUint64(0, value >> 64n);
  view.setBigUint64(8, value); // its lower half
  return addressText(new Uint8Array(view.buffer));
};

export const formatPrefix = (prefix: Prefix): string => `${formatAddress(prefix)}/${prefix.bits}`;

/** Of an address or prefix that is one. */
export const familyOf = (text: string): Family => (text.includes(':') ? 6 : 4);

/** How many addresses a prefix holds. */
export const size = ({ family, bits }: Prefix): bigint => 1n << BigInt(width(family) - bits);

/** The same prefix without host bits. */
export const masked = (prefix: Prefix): Prefix => ({
  ...prefix,
  value: prefix.value - (prefix.value % size(prefix)),
});

/** Last address of a masked prefix. */
export const last = (prefix: Prefix): bigint => prefix.value + size(prefix) - 1n;

export const contains = (prefix: Prefix, address: Address): boolean => {
  const { value } = masked(prefix);
  return prefix.family === address.family && address.value >= value && address.value < value + size(prefix);
};

export const overlaps = (a: Prefix, b: Prefix): boolean => contains(a, b) || contains(b, a);

/** The address part of `172.18.0.2/16`. */
export const bare = (cidr: string): string => {
  const slash = cidr.indexOf('/');
  return slash < 0 ? cidr : cidr.slice(0, slash);
};
