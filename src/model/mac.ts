/** MAC addresses from texts: unicast, locally administered, the same on every run. */
import { createHash } from 'node:crypto';

export const hex = (byte: number): string => byte.toString(16).padStart(2, '0');

/** What MACs of nodes on the ingress network begin with; addresses' begin with `02:42`, those from texts with another first byte. */
export const NODE_MAC = '02:43';

/** Of a node (1–65535) on the ingress network, where all nodes have one address: who is meant is said by this alone. */
export const macOfNode = (number: number): string =>
  [NODE_MAC, '00:00', hex(number >> 8), hex(number & 0xff)].join(':');

/** A MAC from any text. Never one of `02:42:…`, which belong to IPv4 addresses. */
export const macFromText = (text: string): string => {
  const bytes = [...createHash('sha256').update(text).digest().subarray(0, 6)];
  bytes[0] = ((bytes[0] ?? 0) & 0xf0) | 0x06;
  return bytes.map(hex).join(':');
};
