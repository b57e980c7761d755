/**
 * MAC addresses that follow from what they belong to, so that an address reused keeps its MAC and no neighbour cache is
 * ever wrong. All are unicast and locally administered.
 */
import { invalid } from '../errors.js';
import { hex, macFromText } from '../model/mac.js';
import { addressOf, formatAddress, shown } from './address.js';

/** `02:42:` and the four bytes of an IPv4 address, as Docker's; from the hash of an IPv6 one. Bare address; throws invalid. */
export const macFromAddress = (text: string): string => {
  const address = addressOf(text);
  if (address.family === 6) return macFromText(formatAddress(address));
  const value = Number(address.value);
  return ['02', '42', ...[24, 16, 8, 0].map((shift) => hex((value >>> shift) & 255))].join(':');
};

const MAC = /^[0-9a-f]{2}(?:([:-])[0-9a-f]{2})(?:\1[0-9a-f]{2}){4}$|^(?:[0-9a-f]{4}\.){2}[0-9a-f]{4}$/;

/** A MAC in any of Go's spellings (colons, hyphens, Cisco's dots), canonical: lower case, colons. Throws invalid. */
export const parseMac = (text: string): string => {
  const lower = text.length <= 17 ? text.toLowerCase() : '';
  if (!MAC.test(lower)) throw invalid(`invalid MAC address: ${shown(text)}`);
  const digits = lower.replace(/[:.-]/g, '');
  return Array.from({ length: 6 }, (_, i) => digits.slice(2 * i, 2 * i + 2)).join(':');
};
