/** Addresses as rtnetlink messages. Pure. */
import type { AddressObject } from '../../plan/objects.js';
import { AF } from '../ffi.js';
import { attr, attrU32, HEADER, message, NLM_F, parseAttributes } from '../netlink.js';
import { type Prefix, prefixOf, prefixText } from './inet.js';
import { IFA, IFA_F_NODAD, IFAPROT_KERNEL_LL, RTM } from './numbers.js';

/** `struct ifaddrmsg` */
const header = (family: number, length: number, index: number): Buffer => {
  const out = Buffer.alloc(8);
  out.writeUInt8(family, 0);
  out.writeUInt8(length, 1);
  out.writeUInt32LE(index, 4);
  return out;
};

/** The directed broadcast address, as Docker sets it; none in /31, /32 and IPv6. */
const broadcast = ({ bytes, length, family }: Prefix): Buffer | undefined => {
  if (family !== AF.INET || length > 30) return undefined;
  const out = Buffer.alloc(4);
  out.writeUInt32BE((bytes.readUInt32BE() | (0xffffffff >>> length)) >>> 0);
  return out;
};

/** IPv6 is added `nodad`: usable at once, the allocator gives no address twice. */
export const createAddress = (o: AddressObject, index: number): Buffer => {
  const prefix = prefixOf(o.address);
  const attributes = [attr(IFA.LOCAL, prefix.bytes), attr(IFA.ADDRESS, prefix.bytes)];
  const all = broadcast(prefix);
  if (all) attributes.push(attr(IFA.BROADCAST, all));
  if (prefix.family === AF.INET6) attributes.push(attrU32(IFA.FLAGS, IFA_F_NODAD));
  return message(
    RTM.NEWADDR,
    NLM_F.ACK | NLM_F.CREATE | NLM_F.EXCL,
    header(prefix.family, prefix.length, index),
    ...attributes,
  );
};

export const deleteAddress = (o: AddressObject, index: number): Buffer => {
  const { family, bytes, length } = prefixOf(o.address);
  return message(
    RTM.DELADDR,
    NLM_F.ACK,
    header(family, length, index),
    attr(IFA.LOCAL, bytes),
    attr(IFA.ADDRESS, bytes),
  );
};

/** Addresses of one link (0: of all). */
export const dumpAddresses = (index = 0): Buffer => message(RTM.GETADDR, 0, header(0, 0, index));

export interface DumpedAddress {
  readonly index: number;
  /** with prefix length */
  readonly address: string;
  /** bare address */
  readonly bytes: Buffer;
  readonly linkLocal: boolean;
  /** the kernel says that it made it itself (≥ 5.18) */
  readonly byKernel: boolean;
}

/** Reads an RTM_NEWADDR or RTM_DELADDR message. */
export const parseAddress = (m: Buffer): DumpedAddress => {
  const attributes = parseAttributes(m.subarray(HEADER + 8));
  const bytes = attributes.get(IFA.LOCAL) ?? attributes.get(IFA.ADDRESS) ?? Buffer.alloc(4);
  return {
    index: m.readUInt32LE(HEADER + 4),
    address: prefixText(bytes, m.readUInt8(HEADER + 1)),
    bytes,
    linkLocal: bytes.length === 16 && (bytes.readUInt16BE() & 0xffc0) === 0xfe80,
    byKernel: attributes.get(IFA.PROTO)?.readUInt8() === IFAPROT_KERNEL_LL,
  };
};

/** The link-local address that the kernel itself gives a link (RFC 4291, modified EUI-64 of its MAC). */
export const isAutomatic = ({ bytes, linkLocal, byKernel }: DumpedAddress, mac: string): boolean => {
  if (!linkLocal || byKernel) return linkLocal;
  const [a = '', b, c, d, e, f] = mac.split(':');
  const first = (Number.parseInt(a, 16) ^ 2).toString(16).padStart(2, '0');
  return bytes.subarray(8).toString('hex') === `${first}${b}${c}fffe${d}${e}${f}`;
};
