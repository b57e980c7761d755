/** MAC addresses from texts: unicast, locally administered, the same on every run. */
import { createHash } from 'node:crypto';

export const hex = (byte: number): string => byte.toString(16).padStart(2, '0');

/** A MAC from any text. Never one of `02:42:…`, which belong to IPv4 addresses. */
export const macFromText = (text: string): string => {
  const bytes = [...createHash('sha256').update(text).digest().subarray(0, 6)];
  bytes[0] = ((bytes[0] ?? 0) & 0xf0) | 0x06;
  return bytes.map(hex).join(':');
};
