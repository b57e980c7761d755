/**
 * Texts of nft's data types to bytes and back, strictly: what has no single meaning throws. Invariant: for the types of
 * elements, decoding what was encoded from a canonical text answers that text.
 */

import { internal } from '../../errors.js';
import type { DataType } from '../../firewall/language.js';
import { addressBytes, addressText } from '../../model/address-bytes.js';
import { macText } from '../rtnetlink/inet.js';

/** `include/uapi/linux/if_ether.h`, `in.h`, `nf_conntrack_common.h`, `rtnetlink.h`, `tcp.h`, RFC 4443 and 4861. */
const NAMES: Partial<Record<DataType, Readonly<Record<string, number>>>> = {
  nf_proto: { ipv4: 2, ipv6: 10 },
  inet_proto: { icmp: 1, tcp: 6, udp: 17, 'ipv6-icmp': 58, sctp: 132 },
  ether_type: { ip: 0x0800, arp: 0x0806, '8021q': 0x8100, ip6: 0x86dd, '8021ad': 0x88a8 },
  ct_state: { invalid: 1, established: 2, related: 4, new: 8, untracked: 64 },
  ct_status: { confirmed: 8, snat: 16, dnat: 32 },
  fib_addrtype: { unicast: 1, local: 2, broadcast: 3, multicast: 5 },
  tcp_flag: { fin: 1, syn: 2, rst: 4, psh: 8, ack: 16 },
  icmpv6_type: {
    'nd-router-solicit': 133,
    'nd-router-advert': 134,
    'nd-neighbor-solicit': 135,
    'nd-neighbor-advert': 136,
    'nd-redirect': 137,
    'mld2-listener-report': 143,
  },
};
/** Protocols without a name are written as numbers; other types have only their names. */
const NUMERIC = new Set<DataType>(['inet_proto', 'ether_type']);

const bad = (type: DataType, text: string) => internal(`not a ${type}: ${JSON.stringify(text.slice(0, 64))}`);

/** Decimal without leading zeros, as far as the type has room. */
const decimal = (type: DataType, text: string): number => {
  const value = /^(0|[1-9]\d{0,9})$/.test(text) ? Number(text) : Number.NaN;
  if (!(value < 2 ** (8 * TYPES[type].length))) throw bad(type, text);
  return value;
};

const named = (type: DataType, text: string): number => {
  const names = NAMES[type];
  const value = names && Object.hasOwn(names, text) ? names[text] : undefined;
  if (value !== undefined) return value;
  if (!NUMERIC.has(type)) throw bad(type, text);
  return decimal(type, text);
};

/** Names joined by `,` are bits of one value; one alone, as each published port has, is not split. */
const bits = (type: DataType, text: string): number =>
  text.includes(',') ? text.split(',').reduce((sum, name) => sum | named(type, name), 0) : named(type, text);

/** The address looked up last: runs of published ports repeat it thousands of times. */
let known: { readonly text: string; readonly bytes: Uint8Array } = { text: '', bytes: new Uint8Array() };
const address = (type: DataType, text: string): Uint8Array => {
  if (known.text === text && known.bytes.length === TYPES[type].length) return known.bytes;
  const bytes = addressBytes(text);
  if (bytes?.length !== TYPES[type].length || text.includes('%')) throw bad(type, text);
  known = { text, bytes };
  return bytes;
};

const MAC = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/;
/** IFNAMSIZ with its NUL, `include/uapi/linux/if.h`. */
const IFNAMSIZ = 16;

/** How a text becomes bytes, `TYPES[type].length` of them at `at`, and back. */
interface Codec {
  put(type: DataType, text: string, out: Buffer, at: number): void;
  get(type: DataType, from: Buffer, at: number): string;
}

const ofNumber = (
  numberOf: (type: DataType, text: string) => number,
  textOf: (type: DataType, value: number) => string,
): Codec => ({
  put: (type, text, out, at) => {
    const { host, length } = TYPES[type];
    out[host ? 'writeUIntLE' : 'writeUIntBE'](numberOf(type, text), at, length);
  },
  get: (type, from, at) => {
    const { host, length } = TYPES[type];
    return textOf(type, from[host ? 'readUIntLE' : 'readUIntBE'](at, length));
  },
});

const nameOf = (type: DataType, value: number): string =>
  Object.entries(NAMES[type] ?? {}).find(([, number]) => number === value)?.[0] ?? String(value);

const NUMBER = ofNumber(decimal, (_, value) => String(value));
const NAME = ofNumber(named, nameOf);
const NAMES_OF_BITS = ofNumber(bits, nameOf);

const INTERFACE: Codec = {
  put: (type, text, out, at) => {
    if (text === '' || text.includes('\0') || Buffer.byteLength(text) >= IFNAMSIZ) throw bad(type, text);
    out.fill(0, at, at + IFNAMSIZ);
    out.write(text, at);
  },
  get: (_, from, at) => from.toString('utf8', at, at + IFNAMSIZ).replace(/\0.*$/s, ''),
};

const HARDWARE: Codec = {
  put: (type, text, out, at) => {
    if (!MAC.test(text)) throw bad(type, text);
    out.write(text.replaceAll(':', ''), at, 'hex');
  },
  get: (type, from, at) => macText(from.subarray(at, at + TYPES[type].length)),
};

const ADDRESS: Codec = {
  put: (type, text, out, at) => void out.set(address(type, text), at),
  get: (type, from, at) => addressText(from.subarray(at, at + TYPES[type].length)),
};

/** What no element has as a text. */
const UNSAID: Codec = {
  put: (type, text) => {
    throw bad(type, text);
  },
  get: (type) => {
    throw bad(type, 'data');
  },
};

interface Type {
  /** bytes in a register or key, before padding to four */
  readonly length: number;
  /** libnftables' number of the type, for `nft list` only (`include/datatype.h`) */
  readonly number: number;
  /** numbers are in the host's byte order, not the network's */
  readonly host?: boolean;
  readonly as: Codec;
}

export const TYPES: Readonly<Record<DataType, Type>> = {
  verdict: { length: 16, number: 1, as: UNSAID },
  nf_proto: { length: 1, number: 2, as: NAMES_OF_BITS },
  ipv4_addr: { length: 4, number: 7, as: ADDRESS },
  ipv6_addr: { length: 16, number: 8, as: ADDRESS },
  ether_addr: { length: 6, number: 9, as: HARDWARE },
  ether_type: { length: 2, number: 10, as: NAME },
  inet_proto: { length: 1, number: 12, as: NAMES_OF_BITS },
  inet_service: { length: 2, number: 13, as: NUMBER },
  tcp_flag: { length: 1, number: 15, as: NAMES_OF_BITS },
  iface_index: { length: 4, number: 20, host: true, as: NUMBER },
  mark: { length: 4, number: 19, host: true, as: NUMBER },
  devgroup: { length: 4, number: 35, host: true, as: NUMBER },
  ct_state: { length: 4, number: 26, host: true, as: NAMES_OF_BITS },
  ct_status: { length: 4, number: 28, host: true, as: NAMES_OF_BITS },
  icmpv6_type: { length: 1, number: 29, as: NAMES_OF_BITS },
  fib_addrtype: { length: 4, number: 38, host: true, as: NAMES_OF_BITS },
  ifname: { length: 16, number: 41, host: true, as: INTERFACE },
  slot: { length: 4, number: 4, host: true, as: NUMBER },
  bytes: { length: 0, number: 4, as: UNSAID },
};

/** Writes `text` at `at` (`TYPES[type].length` bytes). Throws ViaductError internal where it is none of the type. */
export const putValue = (type: DataType, text: string, out: Buffer, at: number): void =>
  TYPES[type].as.put(type, text, out, at);

/** The canonical text of what `putValue` wrote. */
export const getValue = (type: DataType, from: Buffer, at: number): string =>
  TYPES[type].as.get(type, from, at);

/** The bytes of a constant in a rule; `bytes` are written in hexadecimal, `0x1fff`. */
export const valueBytes = (type: DataType, text: string): Buffer => {
  if (type === 'bytes') {
    if (!/^0x([0-9a-f]{2})+$/.test(text)) throw bad(type, text);
    return Buffer.from(text.slice(2), 'hex');
  }
  const out = Buffer.alloc(TYPES[type].length);
  putValue(type, text, out, 0);
  return out;
};
