/**
 * Fields of interval sets: `a`, `a-b`, and for addresses the prefix `a/n`. Canonical is the shortest of these that says
 * it: one value, then a prefix, then a range.
 */

import { internal } from '../../errors.js';
import type { DataType } from '../../firewall/language.js';
import { prefixMask, subnetOf } from '../rtnetlink/inet.js';
import { getValue, putValue, TYPES } from './values.js';

const isAddress = (type: DataType): boolean => type === 'ipv4_addr' || type === 'ipv6_addr';

/** The last address of the prefix that the address lies in. */
const lastOf = (bytes: Buffer, prefix: number): Buffer => {
  const mask = prefixMask(bytes.length, prefix);
  return Buffer.from(bytes.map((byte, i) => byte | ~(mask[i] ?? 0)));
};

const prefixLength = (text: string, length: number): number => {
  const value = /^\d{1,3}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value <= 8 * length)) throw internal(`not a prefix length: ${JSON.stringify(text.slice(0, 16))}`);
  return value;
};

/** Writes the first value at `from` and the last one at `to`. Throws where the range is empty or the prefix has host bits. */
export const putRange = (type: DataType, text: string, out: Buffer, from: number, to: number): void => {
  const { length } = TYPES[type];
  const slash = isAddress(type) ? text.indexOf('/') : -1;
  const dash = slash < 0 && type !== 'ifname' ? text.indexOf('-') : -1;
  const cut = Math.max(slash, dash);
  putValue(type, cut < 0 ? text : text.slice(0, cut), out, from);
  if (dash > 0) putValue(type, text.slice(dash + 1), out, to);
  else out.copy(out, to, from, from + length);
  if (slash > 0) {
    const prefix = prefixLength(text.slice(slash + 1), length);
    const first = out.subarray(from, from + length);
    if (!subnetOf(first, prefix).equals(first)) throw internal(`host bits in ${JSON.stringify(text)}`);
    lastOf(first, prefix).copy(out, to);
  }
  if (out.compare(out, to, to + length, from, from + length) > 0)
    throw internal(`empty range ${JSON.stringify(text)}`);
};

/** The prefix length whose first and last addresses these are; undefined where none has them. */
const asPrefix = (first: Buffer, last: Buffer): number | undefined => {
  for (let prefix = 0; prefix < 8 * first.length; prefix++)
    if (subnetOf(first, prefix).equals(first) && lastOf(first, prefix).equals(last)) return prefix;
  return undefined;
};

/** The canonical text of what `putRange` wrote. */
export const getRange = (type: DataType, from: Buffer, to: Buffer, at: number): string => {
  const { length } = TYPES[type];
  const first = from.subarray(at, at + length);
  const last = to.subarray(at, at + length);
  const text = getValue(type, from, at);
  if (first.equals(last)) return text;
  const prefix = isAddress(type) ? asPrefix(first, last) : undefined;
  return prefix === undefined ? `${text}-${getValue(type, to, at)}` : `${text}/${prefix}`;
};
