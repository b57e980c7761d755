/**
 * IPv4 and IPv6 addresses and prefixes: strict parsing, arithmetic, canonical text (RFC 5952). Values are bigints of 32
 * or 128 bits. A text that two programs could read differently (`010.0.0.1`, `0x50`, a zone, spaces) is no address.
 * Parsing is linear and looks at lengths first, so hostile text of any size costs nothing.
 */
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

const LONGEST_IPV4 = '255.255.255.255'.length;
const LONGEST_ADDRESS = 'ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255'.length;
const DIGIT_0 = 48;

/** 0–`max`, without sign, leading zeros or anything that is not a digit; -1: not a number. */
const decimal = (text: string, max: number): number => {
  if (text.length === 0 || text.length > 3 || (text.length > 1 && text[0] === '0')) return -1;
  let value = 0;
  for (let i = 0; i < text.length; i += 1) {
    const digit = text.charCodeAt(i) - DIGIT_0;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value <= max ? value : -1;
};

/** The 32 bits of a dotted quad; -1: not one. */
const quad = (text: string): number => {
  if (text.length > LONGEST_IPV4) return -1;
  const parts = text.split('.');
  if (parts.length !== 4) return -1;
  let value = 0;
  for (const part of parts) {
    const byte = decimal(part, 255);
    if (byte < 0) return -1;
    value = value * 256 + byte;
  }
  return value;
};

const GROUP = /^[0-9A-Fa-f]{1,4}$/;

/** The 16-bit groups of one side of `::`; a dotted quad may end it. Undefined: not IPv6. */
const groups = (text: string, mayEndInQuad: boolean): number[] | undefined => {
  if (text === '') return [];
  const out: number[] = [];
  const parts = text.split(':');
  for (const [i, part] of parts.entries()) {
    if (GROUP.test(part)) out.push(Number.parseInt(part, 16));
    else {
      const ipv4 = mayEndInQuad && i === parts.length - 1 ? quad(part) : -1;
      if (ipv4 < 0) return undefined;
      out.push(Math.floor(ipv4 / 65536), ipv4 % 65536);
    }
  }
  return out;
};

const parseGroups = (text: string): number[] | undefined => {
  const gap = text.indexOf('::');
  if (gap < 0) {
    const all = groups(text, true);
    return all?.length === 8 ? all : undefined;
  }
  const left = groups(text.slice(0, gap), false);
  const right = groups(text.slice(gap + 2), true);
  if (!left || !right || left.length + right.length > 7) return undefined;
  return [...left, ...new Array<number>(8 - left.length - right.length).fill(0), ...right];
};

const MAPPED = 0xffffn << 32n;

/** An address, or undefined. IPv4-mapped IPv6 (`::ffff:10.0.0.1`) is the IPv4 address it names, as in Docker. */
export const parseAddress = (text: string): Address | undefined => {
  if (text.length < 2 || text.length > LONGEST_ADDRESS) return undefined;
  if (!text.includes(':')) {
    const value = quad(text);
    return value < 0 ? undefined : { family: 4, value: BigInt(value) };
  }
  const parsed = parseGroups(text);
  if (!parsed) return undefined;
  let value = 0n;
  for (const group of parsed) value = (value << 16n) | BigInt(group);
  return value >> 32n === 0xffffn ? { family: 4, value: value - MAPPED } : { family: 6, value };
};

/** A CIDR, host bits kept, or undefined. */
export const parsePrefix = (text: string): Prefix | undefined => {
  if (text.length > LONGEST_ADDRESS + 4) return undefined;
  const slash = text.indexOf('/');
  const address = slash < 0 ? undefined : parseAddress(text.slice(0, slash));
  if (!address || (address.family === 4 && text.includes(':'))) return undefined;
  const bits = decimal(text.slice(slash + 1), width(address.family));
  return bits < 0 ? undefined : { ...address, bits };
};

/** What of a user's text may be repeated in a message: short, printable. */
export const shown = (text: string): string => {
  const head = text.slice(0, 100).replace(/[^\x20-\x7e]/g, '?');
  return text.length > 100 ? `${head}…` : head;
};

const formatIpv4 = (value: bigint): string => {
  const n = Number(value);
  return `${n >>> 24}.${(n >>> 16) & 255}.${(n >>> 8) & 255}.${n & 255}`;
};

/** The first of the longest runs of zero groups, two at least: what `::` stands for. */
const longestZeros = (all: readonly number[]): { at: number; length: number } => {
  let best = { at: -1, length: 1 };
  for (let at = 0; at < 8; at += 1) {
    let length = 0;
    while (at + length < 8 && all[at + length] === 0) length += 1;
    if (length > best.length) best = { at, length };
  }
  return best;
};

const formatIpv6 = (value: bigint): string => {
  const all = Array.from({ length: 8 }, (_, i) => Number((value >> BigInt(112 - 16 * i)) & 0xffffn));
  const text = (part: readonly number[]): string => part.map((g) => g.toString(16)).join(':');
  const { at, length } = longestZeros(all);
  return at < 0 ? text(all) : `${text(all.slice(0, at))}::${text(all.slice(at + length))}`;
};

export const formatAddress = ({ family, value }: Address): string =>
  family === 4 ? formatIpv4(value) : formatIpv6(value);

export const formatPrefix = (prefix: Prefix): string => `${formatAddress(prefix)}/${prefix.bits}`;

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
