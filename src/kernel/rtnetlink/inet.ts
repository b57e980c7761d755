/** Texts of addresses, prefixes and MACs to bytes; throws KernelError EINVAL where a text is none. */

import { EINVAL } from '../../errno.js';
import { KernelError } from '../../errors.js';
import { addressBytes, addressText } from '../../model/address-bytes.js';
import { AF } from '../ffi.js';

export interface Prefix {
  readonly family: number;
  readonly bytes: Buffer;
  /** bits */
  readonly length: number;
}

export const addressOf = (text: string): Buffer => {
  const bytes = addressBytes(text);
  if (!bytes) throw new KernelError(EINVAL, `address ${text.slice(0, 64)}`, 'not an IP address');
  return Buffer.from(bytes);
};

/** `10.0.0.2/16`; without a length it is one address (/32, /128). */
export const prefixOf = (text: string): Prefix => {
  const [address = '', length] = text.split('/', 2);
  const bytes = addressOf(address);
  const bits = bytes.length * 8;
  const n = length === undefined ? bits : Number(length);
  if (length === '' || !Number.isInteger(n) || n < 0 || n > bits)
    throw new KernelError(EINVAL, `address ${text.slice(0, 64)}`, 'bad prefix length');
  return { family: familyOf(bytes), bytes, length: n };
};

/** `size` bytes of which the first `length` bits are set. */
export const prefixMask = (size: number, length: number): Buffer =>
  Buffer.from(Array.from({ length: size }, (_, i) => 0xff00 >> Math.min(8, Math.max(0, length - i * 8))));

/** The address with all bits behind `length` zero. */
export const subnetOf = (bytes: Buffer, length: number): Buffer => {
  const mask = prefixMask(bytes.length, length);
  return Buffer.from(bytes.map((byte, i) => byte & (mask[i] ?? 0)));
};

export const familyOf = (bytes: Buffer): number => (bytes.length === 4 ? AF.INET : AF.INET6);
export const prefixText = (bytes: Buffer, length: number): string => `${addressText(bytes)}/${length}`;

const MAC = /^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/i;
export const macOf = (text: string): Buffer => {
  if (!MAC.test(text)) throw new KernelError(EINVAL, `mac ${text.slice(0, 64)}`, 'not a MAC address');
  return Buffer.from(text.replaceAll(':', ''), 'hex');
};
export const macText = (bytes: Buffer): string => bytes.toString('hex').replace(/..(?=.)/g, '$&:');
