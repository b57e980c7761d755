/**
 * Ports as texts, as clients, images and Dockerfiles write them: `80`, `80/UDP`, `8000-8010`. The one place that reads them.
 * Written as plain loops over codes: one container may name ten thousand ports, at each start.
 */
import type { ExposedPort, Protocol } from './port.js';

/** In the order of their names. A port's code is its protocol's place here and its number: they sort as codes do. */
const PROTOCOLS: readonly Protocol[] = ['sctp', 'tcp', 'udp'];
const CODE: Readonly<Record<Protocol, number>> = { sctp: 0, tcp: 0x10000, udp: 0x20000 };
const protocolAt = (code: number): Protocol => PROTOCOLS[code >> 16] ?? 'tcp';

/** One number for protocol and port. */
export const codeOf = (protocol: Protocol, port: number): number => CODE[protocol] + port;
export const portAt = (code: number): ExposedPort => ({ protocol: protocolAt(code), port: code & 0xffff });
/** `80/tcp` */
export const textAt = (code: number): string => `${code & 0xffff}/${protocolAt(code)}`;

const ZERO = 48;
/** Leading zeros count for nothing, in Go neither; this many characters are looked at. */
const MOST_DIGITS = 16;

/** 0–65535: what stands from `start` to `end`; -1 where that is no port. */
const portNumber = (text: string, start = 0, end = text.length): number => {
  if (end <= start || end - start > MOST_DIGITS) return -1;
  let number = 0;
  for (let i = start; i < end; i += 1) {
    const digit = text.charCodeAt(i) - ZERO;
    if (digit < 0 || digit > 9) return -1;
    number = number * 10 + digit;
  }
  return number > 65_535 ? -1 : number;
};

/** In any case; empty is tcp. */
export const protocolOf = (text: string): Protocol | undefined => {
  const name = text.toLowerCase() || 'tcp';
  return PROTOCOLS.find((protocol) => protocol === name);
};

/** `80`, `80/UDP` → its code; undefined: no port. Port 0 is none. */
export const portCode = (text: string): number | undefined => {
  const slash = text.indexOf('/');
  const port = portNumber(text, 0, slash < 0 ? text.length : slash);
  if (port < 1) return undefined;
  if (slash < 0 || (slash === text.length - 4 && text.endsWith('tcp'))) return CODE.tcp + port;
  const protocol = protocolOf(text.slice(slash + 1));
  return protocol && CODE[protocol] + port;
};

/** Whether `text`, which has this code, is what `textAt` would write. */
export const isCanonical = (text: string, code: number): boolean =>
  text.charCodeAt(0) !== ZERO && text.endsWith(`/${protocolAt(code)}`);

/** `8000-8010`, or one number; undefined: no range. */
export const portRange = (text: string): readonly [first: number, last: number] | undefined => {
  const dash = text.indexOf('-');
  const first = portNumber(text, 0, dash < 0 ? text.length : dash);
  const last = dash < 0 ? first : portNumber(text, dash + 1);
  return first < 0 || last < first ? undefined : [first, last];
};

/** Codes of a range of ports of one protocol. */
export const codesOf = (protocol: Protocol, [first, last]: readonly [number, number]): readonly number[] =>
  Array.from({ length: last - first + 1 }, (_, i) => CODE[protocol] + first + i);
