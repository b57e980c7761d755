/** What all links have in common, as rtnetlink messages: find, change, delete, read. Pure. */
import { AF } from '../ffi.js';
import {
  attr,
  attrStr,
  attrText,
  attrU8,
  attrU32,
  HEADER,
  message,
  NLM_F,
  nested,
  parseAttributes,
} from '../netlink.js';
import { macOf, macText } from './inet.js';
import {
  IFF_UP,
  IFLA,
  IFLA_BRPORT,
  IFLA_INET6_ADDR_GEN_MODE,
  IFLA_INFO,
  RTEXT_FILTER_SKIP_STATS,
  RTM,
} from './numbers.js';

/** Smallest MTU with which a link has IPv6 at all (IPV6_MIN_MTU). */
const IPV6_MIN_MTU = 1280;

interface LinkHeader {
  readonly index?: number;
  readonly flags?: number;
  readonly change?: number;
}

/** `struct ifinfomsg` */
export const linkHeader = ({ index = 0, flags = 0, change = 0 }: LinkHeader = {}): Buffer => {
  const out = Buffer.alloc(16);
  out.writeInt32LE(index, 4);
  out.writeUInt32LE(flags, 8);
  out.writeUInt32LE(change, 12);
  return out;
};
export const raised = (up: boolean): LinkHeader => ({ flags: up ? IFF_UP : 0, change: IFF_UP });
/** No link-local address of the kernel's making: the host's end of a veth is a port, not a host. */
export const setNoIpv6Address = (name: string): Buffer =>
  message(
    RTM.SETLINK,
    NLM_F.ACK,
    linkHeader(),
    attrStr(IFLA.IFNAME, name),
    nested(IFLA.AF_SPEC, nested(AF.INET6, attrU8(IFLA_INET6_ADDR_GEN_MODE, 1))),
  );
/** A link below this MTU has no IPv6 whose settings could be changed. */
export const carriesIpv6 = (mtu: number): boolean => mtu >= IPV6_MIN_MTU;

export interface LinkChange {
  readonly up?: boolean;
  readonly mtu?: number;
  readonly mac?: string;
  /** index of the bridge, 0: leaves its bridge */
  readonly master?: number;
  readonly name?: string;
  readonly group?: number;
}

/** Changes a link found by name or by index. */
export const changeLink = (which: string | number, change: LinkChange): Buffer => {
  const named = typeof which === 'string';
  const found = named ? {} : { index: which };
  const flags = change.up === undefined ? {} : raised(change.up);
  const attributes: Buffer[] = [];
  if (named) attributes.push(attrStr(IFLA.IFNAME, which));
  else if (change.name !== undefined) attributes.push(attrStr(IFLA.IFNAME, change.name));
  if (change.mac !== undefined) attributes.push(attr(IFLA.ADDRESS, macOf(change.mac)));
  if (change.mtu !== undefined) attributes.push(attrU32(IFLA.MTU, change.mtu));
  if (change.master !== undefined) attributes.push(attrU32(IFLA.MASTER, change.master));
  if (change.group !== undefined) attributes.push(attrU32(IFLA.GROUP, change.group));
  return message(RTM.SETLINK, NLM_F.ACK, linkHeader({ ...found, ...flags }), ...attributes);
};

/** Moves a link to another namespace, under another name. It is down there, without addresses. Empty alias: none. */
export const moveLink = (
  index: number,
  { fd, name, alias }: { readonly fd: number; readonly name: string; readonly alias: string },
): Buffer =>
  message(
    RTM.SETLINK,
    NLM_F.ACK,
    linkHeader({ index }),
    attrU32(IFLA.NET_NS_FD, fd),
    attrStr(IFLA.IFNAME, name),
    attr(IFLA.IFALIAS, Buffer.from(alias)),
  );

export const deleteLink = (index: number): Buffer => message(RTM.DELLINK, NLM_F.ACK, linkHeader({ index }));
/** Deletes every link of the group in one go: one wait for RCU, however many they are. ENODEV: none is in it. */
export const deleteGroup = (group: number): Buffer =>
  message(RTM.DELLINK, NLM_F.ACK, linkHeader(), attrU32(IFLA.GROUP, group));

const skipStatistics = attrU32(IFLA.EXT_MASK, RTEXT_FILTER_SKIP_STATS);
/** By name or by index. */
export const getLink = (which: string | number): Buffer =>
  typeof which === 'string'
    ? message(RTM.GETLINK, NLM_F.ACK, linkHeader(), attrStr(IFLA.IFNAME, which), skipStatistics)
    : message(RTM.GETLINK, NLM_F.ACK, linkHeader({ index: which }), skipStatistics);
export const dumpLinks = (): Buffer => message(RTM.GETLINK, 0, linkHeader(), skipStatistics);

export interface DumpedLink {
  readonly index: number;
  readonly name: string;
  /** `bridge`, `veth`…; empty for physical ones and lo */
  readonly type: string;
  readonly up: boolean;
  readonly mtu: number;
  readonly mac: string;
  /** 0: none */
  readonly master: number;
  /** index of a veth's peer, or of the interface that another link lies on, in that one's namespace; 0: none */
  readonly peer: number;
  readonly group: number;
  /** IFLA_IFALIAS, empty: none */
  readonly alias: string;
  readonly hairpin: boolean;
  readonly isolated: boolean;
  /** a port that learns no addresses, and answers for neighbours that its bridge knows */
  readonly quiet: boolean;
  /** `peer` is an index of another namespace than the link's own */
  readonly peerElsewhere: boolean;
  /** IFLA_INFO_DATA: what is the type's own, unread */
  readonly data: Buffer;
  /** IFLA_AF_SPEC: its settings, unread */
  readonly settings: Buffer;
}

/** What is read of a link, and of a bridge's port. */
const READ: ReadonlySet<number> = new Set([
  ...[IFLA.IFNAME, IFLA.MTU, IFLA.ADDRESS, IFLA.MASTER, IFLA.LINK, IFLA.GROUP, IFLA.IFALIAS],
  ...[IFLA.LINKINFO, IFLA.LINK_NETNSID, IFLA.AF_SPEC],
]);
const READ_OF_PORT: ReadonlySet<number> = new Set(Object.values(IFLA_BRPORT));

const NONE: ReadonlyMap<number, Buffer> = new Map();
const EMPTY = Buffer.alloc(0);
const u32 = (b: Buffer | undefined): number => b?.readUInt32LE() ?? 0;

/** Of what a port's attributes say. */
export const isQuiet = (port: ReadonlyMap<number, Buffer>): boolean =>
  port.get(IFLA_BRPORT.LEARNING)?.readUInt8() === 0 &&
  port.get(IFLA_BRPORT.NEIGH_SUPPRESS)?.readUInt8() === 1;

/** Only the index of such a message: reading it whole takes 20 µs. */
export const linkIndex = (m: Buffer): number => m.readInt32LE(HEADER + 4);

/** Reads an RTM_NEWLINK or RTM_DELLINK message. */
export const parseLink = (m: Buffer): DumpedLink => {
  const attributes = parseAttributes(m.subarray(HEADER + 16), READ);
  const details = attributes.get(IFLA.LINKINFO);
  const linkinfo = details ? parseAttributes(details) : NONE;
  const portData = linkinfo.get(IFLA_INFO.SLAVE_DATA);
  const isPort = attrText(linkinfo.get(IFLA_INFO.SLAVE_KIND) ?? EMPTY) === 'bridge';
  const port = portData && isPort ? parseAttributes(portData, READ_OF_PORT) : NONE;
  return {
    index: linkIndex(m),
    name: attrText(attributes.get(IFLA.IFNAME) ?? EMPTY),
    type: attrText(linkinfo.get(IFLA_INFO.KIND) ?? EMPTY),
    up: (m.readUInt32LE(HEADER + 8) & IFF_UP) !== 0,
    mtu: u32(attributes.get(IFLA.MTU)),
    mac: macText(attributes.get(IFLA.ADDRESS) ?? EMPTY),
    master: u32(attributes.get(IFLA.MASTER)),
    peer: u32(attributes.get(IFLA.LINK)),
    group: u32(attributes.get(IFLA.GROUP)),
    alias: attrText(attributes.get(IFLA.IFALIAS) ?? EMPTY),
    hairpin: port.get(IFLA_BRPORT.MODE)?.readUInt8() === 1,
    isolated: port.get(IFLA_BRPORT.ISOLATED)?.readUInt8() === 1,
    quiet: isQuiet(port),
    peerElsewhere: attributes.has(IFLA.LINK_NETNSID),
    data: linkinfo.get(IFLA_INFO.DATA) ?? EMPTY,
    settings: attributes.get(IFLA.AF_SPEC) ?? EMPTY,
  };
};
