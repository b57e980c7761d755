/** How each field that rules look at is loaded into registers. */
import type { Field, Target } from '../../firewall/language.js';
import { FIELDS } from '../../firewall/language.js';
import { attr, attrStr, attrU8, attrU32be, nested } from '../netlink.js';
import * as n from './constants.js';
import { TYPES } from './values.js';

/** Where a field lies in the packet, in bytes. */
interface Payload {
  readonly base: keyof typeof n.NFT_PAYLOAD_BASE;
  readonly offset: number;
  readonly length: number;
  /** where the header's checksum lies, for fields that are written */
  readonly checksum?: number;
}

type Load =
  | { readonly from: 'meta'; readonly key: number }
  | { readonly from: 'ct'; readonly key: number }
  | { readonly from: 'fib'; readonly flags: number }
  /** an IPv6 extension header; `shift`: bits right of the field, which its values leave out */
  | {
      readonly from: 'exthdr';
      readonly type: number;
      readonly offset: number;
      readonly length: number;
      readonly shift: number;
    }
  | ({ readonly from: 'payload' } & Payload);

const payload = (base: Payload['base'], offset: number, length: number, checksum?: number): Load => ({
  from: 'payload',
  base,
  offset,
  length,
  ...(checksum === undefined ? {} : { checksum }),
});
const meta = (key: number): Load => ({ from: 'meta', key });

/** Offsets of Ethernet, IPv4 (RFC 791), IPv6 (RFC 8200), ARP (RFC 826), ND (RFC 4861), TCP and UDP headers. */
const LOADS: Readonly<Record<Field, Load>> = {
  'meta nfproto': meta(n.NFT_META.NFPROTO),
  'meta protocol': meta(n.NFT_META.PROTOCOL),
  'meta l4proto': meta(n.NFT_META.L4PROTO),
  'meta mark': meta(n.NFT_META.MARK),
  'meta iif': meta(n.NFT_META.IIF),
  'meta iifgroup': meta(n.NFT_META.IIFGROUP),
  'meta oifgroup': meta(n.NFT_META.OIFGROUP),
  iifname: meta(n.NFT_META.IIFNAME),
  oifname: meta(n.NFT_META.OIFNAME),
  'ct state': { from: 'ct', key: n.NFT_CT.STATE },
  'ct status': { from: 'ct', key: n.NFT_CT.STATUS },
  'ct mark': { from: 'ct', key: n.NFT_CT.MARK },
  'fib saddr type': { from: 'fib', flags: n.NFTA_FIB_F.SADDR },
  'fib daddr type': { from: 'fib', flags: n.NFTA_FIB_F.DADDR },
  'fib daddr . iif type': { from: 'fib', flags: n.NFTA_FIB_F.DADDR | n.NFTA_FIB_F.IIF },
  'ether saddr': payload('link', 6, 6),
  'ether daddr': payload('link', 0, 6),
  'ether daddr 0-1': payload('link', 0, 2),
  'ether daddr 2-5': payload('link', 2, 4),
  'ether saddr 0-1': payload('link', 6, 2),
  'ether saddr 2-5': payload('link', 8, 4),
  'ether saddr 4-5': payload('link', 10, 2),
  'ip saddr': payload('network', 12, 4),
  'ip daddr': payload('network', 16, 4),
  'ip frag-off': payload('network', 6, 2),
  'ip6 saddr': payload('network', 8, 16),
  'ip6 daddr': payload('network', 24, 16),
  'frag frag-off': { from: 'exthdr', type: 44, offset: 2, length: 2, shift: 3 },
  'arp format': payload('network', 0, 6),
  'arp saddr ether': payload('network', 8, 6),
  'arp saddr ip': payload('network', 14, 4),
  'icmpv6 type': payload('transport', 0, 1),
  'icmpv6 taddr': payload('transport', 8, 16),
  'th sport': payload('transport', 0, 2),
  'th dport': payload('transport', 2, 2),
  'udp sport': payload('transport', 0, 2, 6),
  'udp dport': payload('transport', 2, 2, 6),
  'tcp sport': payload('transport', 0, 2, 16),
  'tcp dport': payload('transport', 2, 2, 16),
  'tcp flags': payload('transport', 13, 1),
};

export const expressionAs = (type: number, name: string, ...attributes: readonly Buffer[]): Buffer =>
  nested(type, attrStr(n.NFTA_EXPR.NAME, name), attr(n.NFTA_EXPR.DATA | 0x8000, ...attributes));
export const expression = (name: string, ...attributes: readonly Buffer[]): Buffer =>
  expressionAs(n.NFTA_LIST_ELEM, name, ...attributes);

/** Bytes of the field in a register. */
export const fieldLength = (field: Field): number => {
  const load = LOADS[field];
  return load.from === 'payload' || load.from === 'exthdr' ? load.length : TYPES[FIELDS[field]].length;
};
export const fieldShift = (field: Field): number => {
  const load = LOADS[field];
  return load.from === 'exthdr' ? load.shift : 0;
};

const location = ({ base, offset, length }: Payload): Buffer[] => [
  attrU32be(n.NFTA_PAYLOAD.BASE, n.NFT_PAYLOAD_BASE[base]),
  attrU32be(n.NFTA_PAYLOAD.OFFSET, offset),
  attrU32be(n.NFTA_PAYLOAD.LEN, length),
];

/** Loads the first `bytes` bytes of a header field. */
export const loadStart = (field: Field, register: number, bytes: number): Buffer => {
  const load = LOADS[field];
  if (load.from !== 'payload') throw new TypeError(`${field} is loaded whole`);
  return expression(
    'payload',
    attrU32be(n.NFTA_PAYLOAD.DREG, register),
    ...location({ ...load, length: bytes }),
  );
};

/** Loads the field into `register` (and those behind it that it needs). */
export const loadField = (field: Field, register: number): Buffer => {
  const load = LOADS[field];
  switch (load.from) {
    case 'meta':
      return expression('meta', attrU32be(n.NFTA_META.KEY, load.key), attrU32be(n.NFTA_META.DREG, register));
    case 'ct':
      return expression('ct', attrU32be(n.NFTA_CT.KEY, load.key), attrU32be(n.NFTA_CT.DREG, register));
    case 'fib':
      return expression(
        'fib',
        attrU32be(n.NFTA_FIB.FLAGS, load.flags),
        attrU32be(n.NFTA_FIB.RESULT, n.NFT_FIB_RESULT_ADDRTYPE),
        attrU32be(n.NFTA_FIB.DREG, register),
      );
    case 'exthdr':
      return expression(
        'exthdr',
        attrU32be(n.NFTA_EXTHDR.DREG, register),
        attrU8(n.NFTA_EXTHDR.TYPE, load.type),
        attrU32be(n.NFTA_EXTHDR.OFFSET, load.offset),
        attrU32be(n.NFTA_EXTHDR.LEN, load.length),
        attrU32be(n.NFTA_EXTHDR.OP, n.NFT_EXTHDR_OP_IPV6),
      );
    case 'payload':
      return loadStart(field, register, load.length);
  }
};

/** Writes `register` into the field; the kernel mends the checksum, or leaves it to the device where that fills it in. */
export const storeField = (field: Field, register: number): Buffer => {
  const load = LOADS[field];
  if (load.from !== 'payload') throw new TypeError(`${field} cannot be written`);
  const { checksum } = load;
  return expression(
    'payload',
    attrU32be(n.NFTA_PAYLOAD.SREG, register),
    ...location(load),
    ...(checksum === undefined
      ? [attrU32be(n.NFTA_PAYLOAD.CSUM_TYPE, n.NFT_PAYLOAD_CSUM.none)]
      : [
          attrU32be(n.NFTA_PAYLOAD.CSUM_TYPE, n.NFT_PAYLOAD_CSUM.inet),
          attrU32be(n.NFTA_PAYLOAD.CSUM_OFFSET, checksum),
        ]),
  );
};

const storeCt = (key: number, register: number, ...rest: readonly Buffer[]): Buffer =>
  expression('ct', attrU32be(n.NFTA_CT.KEY, key), ...rest, attrU32be(n.NFTA_CT.SREG, register));

export const storeTarget = (target: Target, register: number): Buffer => {
  switch (target) {
    case 'ct original zone':
      return storeCt(n.NFT_CT.ZONE, register, attrU8(n.NFTA_CT.DIRECTION, n.IP_CT_DIR_ORIGINAL));
    case 'ct mark':
      return storeCt(n.NFT_CT.MARK, register);
    case 'meta mark':
      return expression(
        'meta',
        attrU32be(n.NFTA_META.KEY, n.NFT_META.MARK),
        attrU32be(n.NFTA_META.SREG, register),
      );
    case 'ether daddr 2-5':
      return storeField(target, register);
  }
};
