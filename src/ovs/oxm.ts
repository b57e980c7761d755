/**
 * OpenFlow 1.3 matches (7.2.3, OXM) as text fields and back. Pure. Fields are called as `ovs-ofctl` calls them; an order
 * by field number satisfies every prerequisite.
 */
import { macText, prefixMask } from '../kernel/rtnetlink/inet.js';
import { addressBytes, addressText } from '../model/address-bytes.js';

type Kind = 'port' | 'mac' | 'hex' | 'number' | 'address';

interface Field {
  readonly name: string;
  readonly number: number;
  /** of the value, bytes */
  readonly size: number;
  readonly kind: Kind;
}

const field = (name: string, number: number, size: number, kind: Kind): Field => ({
  name,
  number,
  size,
  kind,
});

/** `enum oxm_ofb_match_fields` of OpenFlow 1.3.5 */
const FIELDS: readonly Field[] = [
  field('in_port', 0, 4, 'port'),
  field('eth_dst', 3, 6, 'mac'),
  field('eth_src', 4, 6, 'mac'),
  field('eth_type', 5, 2, 'hex'),
  field('vlan_vid', 6, 2, 'hex'),
  field('ip_proto', 10, 1, 'number'),
  field('ip_src', 11, 4, 'address'),
  field('ip_dst', 12, 4, 'address'),
  field('tcp_src', 13, 2, 'hex'),
  field('tcp_dst', 14, 2, 'hex'),
  field('udp_src', 15, 2, 'hex'),
  field('udp_dst', 16, 2, 'hex'),
  field('icmp_type', 19, 1, 'number'),
  field('arp_spa', 22, 4, 'address'),
  field('arp_sha', 24, 6, 'mac'),
  field('ipv6_src', 26, 16, 'address'),
  field('ipv6_dst', 27, 16, 'address'),
  field('icmpv6_type', 29, 1, 'number'),
  field('nd_target', 31, 16, 'address'),
];
const BY_NAME: ReadonlyMap<string, Field> = new Map(FIELDS.map((f) => [f.name, f]));
const BY_NUMBER: ReadonlyMap<number, Field> = new Map(FIELDS.map((f) => [f.number, f]));

/** `OFPXMC_OPENFLOW_BASIC` */
const BASIC = 0x8000;
/** `enum ofp_port_no` */
export const OFPP = { NORMAL: 0xfffffffa, LOCAL: 0xfffffffe, ANY: 0xffffffff } as const;

/** OpenFlow's number of a port by its name, and back. undefined: there is no such port (any more). */
export interface PortNumbers {
  readonly numberOf: (name: string) => number | undefined;
  readonly nameOf: (number: number) => string | undefined;
}

/** A port that a flow names and that is not there. */
export class NoSuchPort extends Error {
  override readonly name = 'NoSuchPort';
}

const portBytes = (text: string, ports: PortNumbers): Buffer => {
  const number = text === 'LOCAL' ? OFPP.LOCAL : ports.numberOf(text);
  if (number === undefined) throw new NoSuchPort(`there is no port ${text}`);
  const out = Buffer.alloc(4);
  out.writeUInt32BE(number);
  return out;
};

const valueBytes = ({ kind, size, name }: Field, text: string, ports: PortNumbers): Buffer => {
  if (kind === 'port') return portBytes(text, ports);
  if (kind === 'mac') return Buffer.from(text.replaceAll(':', ''), 'hex');
  if (kind === 'address') {
    const bytes = addressBytes(text);
    if (bytes?.length !== size) throw new TypeError(`${name}=${text}: not an address of ${size} bytes`);
    return Buffer.from(bytes);
  }
  const out = Buffer.alloc(size);
  out.writeUIntBE(Number(text), 0, size);
  return out;
};

/** `value`, `address/prefix`, `value/mask` */
const encodeField = (f: Field, text: string, ports: PortNumbers): Buffer => {
  const cut = text.indexOf('/');
  const value = valueBytes(f, cut < 0 ? text : text.slice(0, cut), ports);
  if (value.length !== f.size) throw new TypeError(`${f.name}=${text}: not ${f.size} bytes`);
  const rest = text.slice(cut + 1);
  const mask =
    cut < 0
      ? Buffer.alloc(0)
      : f.kind === 'address'
        ? prefixMask(f.size, Number(rest))
        : valueBytes(f, rest, ports);
  const header = Buffer.alloc(4);
  header.writeUInt16BE(BASIC, 0);
  header.writeUInt8((f.number << 1) | (mask.length > 0 ? 1 : 0), 2);
  header.writeUInt8(value.length + mask.length, 3);
  return Buffer.concat([header, value, mask]);
};

/** `struct ofp_match`, padded to eight bytes. Throws NoSuchPort, and TypeError for what is no field. */
export const encodeMatch = (match: Readonly<Record<string, string>>, ports: PortNumbers): Buffer => {
  const fields = Object.keys(match).map((name) => {
    const f = BY_NAME.get(name);
    if (!f) throw new TypeError(`no such field: ${name}`);
    return f;
  });
  const body = fields
    .sort((a, b) => a.number - b.number)
    .map((f) => encodeField(f, match[f.name] ?? '', ports));
  const length = 4 + body.reduce((sum, b) => sum + b.length, 0);
  const header = Buffer.alloc(4);
  header.writeUInt16BE(1, 0); // OFPMT_OXM
  header.writeUInt16BE(length, 2);
  return Buffer.concat([header, ...body, Buffer.alloc(-length & 7)]);
};

const hex = (value: number): string => `0x${value.toString(16)}`;

const valueText = ({ kind, size }: Field, bytes: Buffer, ports: PortNumbers): string => {
  if (kind === 'mac') return macText(bytes);
  if (kind === 'address') return addressText(bytes);
  const number = bytes.readUIntBE(0, size);
  if (kind === 'port') return number === OFPP.LOCAL ? 'LOCAL' : (ports.nameOf(number) ?? `#${number}`);
  return kind === 'hex' ? hex(number) : String(number);
};

const maskBits = (mask: Buffer): number =>
  [...mask].reduce((sum, byte) => sum + byte.toString(2).replaceAll('0', '').length, 0);

/** Reads `struct ofp_match`; fields we never set come out by number, so that they equal nothing of ours. */
export const decodeMatch = (match: Buffer, ports: PortNumbers): Record<string, string> => {
  const out: Record<string, string> = {};
  const end = Math.min(match.length, match.readUInt16BE(2));
  for (let at = 4; at + 4 <= end; ) {
    const [oxmClass, byte, length] = [
      match.readUInt16BE(at),
      match.readUInt8(at + 2),
      match.readUInt8(at + 3),
    ];
    const payload = match.subarray(at + 4, at + 4 + length);
    at += 4 + length;
    const f = oxmClass === BASIC ? BY_NUMBER.get(byte >> 1) : undefined;
    const masked = (byte & 1) === 1;
    if (!f || payload.length !== f.size * (masked ? 2 : 1)) {
      out[`#${oxmClass}.${byte >> 1}`] = payload.toString('hex');
      continue;
    }
    const value = valueText(f, payload.subarray(0, f.size), ports);
    const mask = payload.subarray(f.size);
    out[f.name] = !masked
      ? value
      : `${value}/${f.kind === 'address' ? maskBits(mask) : valueText(f, mask, ports)}`;
  }
  return out;
};
