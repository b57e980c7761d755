/** Neighbours (ARP, ND) and FDB entries as rtnetlink messages: to the kernel both are neighbour messages. Pure. */
import { addressText } from '../../model/address-bytes.js';
import type { FdbObject, NeighbourObject } from '../../plan/objects.js';
import { attr, HEADER, message, NLM_F, parseAttributes } from '../netlink.js';
import { addressOf, familyOf, macOf, macText } from './inet.js';
import { AF_BRIDGE, NDA, NTF, NUD, RTM } from './numbers.js';

interface NeighbourHeader {
  readonly family: number;
  readonly index?: number;
  readonly state?: number;
  readonly flags?: number;
}

/** `struct ndmsg` */
const header = ({ family, index = 0, state = 0, flags = 0 }: NeighbourHeader): Buffer => {
  const out = Buffer.alloc(12);
  out.writeUInt8(family, 0);
  out.writeInt32LE(index, 4);
  out.writeUInt16LE(state, 8);
  out.writeUInt8(flags, 10);
  return out;
};
const REPLACE = NLM_F.ACK | NLM_F.CREATE | NLM_F.REPLACE;

type Entry = Pick<NeighbourObject, 'address'> & Partial<Pick<NeighbourObject, 'mac'>>;
const neighbour = (
  type: number,
  flags: number,
  { address, mac }: Entry,
  index: number,
  state = 0,
): Buffer => {
  const bytes = addressOf(address);
  return message(
    type,
    flags,
    header({ family: familyOf(bytes), index, state }),
    attr(NDA.DST, bytes),
    ...(mac === undefined ? [] : [attr(NDA.LLADDR, macOf(mac))]),
  );
};
/** Also where the kernel has learned one meanwhile. */
export const createNeighbour = (o: NeighbourObject, index: number): Buffer =>
  neighbour(RTM.NEWNEIGH, REPLACE, o, index, NUD.PERMANENT);
export const deleteNeighbour = ({ address }: NeighbourObject, index: number): Buffer =>
  neighbour(RTM.DELNEIGH, NLM_F.ACK, { address }, index);
/** A learned entry takes the new MAC and is confirmed at its next use; ENOENT where none is known. */
export const refreshNeighbour = (address: string, mac: string, index: number): Buffer =>
  neighbour(RTM.NEWNEIGH, NLM_F.ACK | NLM_F.REPLACE, { address, mac }, index, NUD.STALE);
export const getNeighbour = (address: string, index: number): Buffer =>
  neighbour(RTM.GETNEIGH, NLM_F.ACK, { address }, index);

/** With a destination it is for the VXLAN device itself and for the bridge that it is a port of, without one for the bridge. */
const flagsOf = ({ destination, bridged }: FdbObject): number => {
  if (destination === undefined) return NTF.MASTER;
  return bridged === false ? NTF.SELF : NTF.SELF | NTF.MASTER;
};

/**
 * NOARP: it does not age. PERMANENT would say to a bridge that the address is the host's own; a VXLAN device takes nothing that is
 * neither that nor REACHABLE.
 */
const fdb = (type: number, flags: number, o: FdbObject, index: number): Buffer =>
  message(
    type,
    flags,
    header({
      family: AF_BRIDGE,
      index,
      state: o.destination === undefined ? NUD.NOARP : NUD.NOARP | NUD.REACHABLE,
      flags: flagsOf(o),
    }),
    attr(NDA.LLADDR, macOf(o.mac)),
    ...(o.destination === undefined ? [] : [attr(NDA.DST, addressOf(o.destination))]),
  );
/** Also where the bridge has learned it meanwhile. */
export const createFdb = (o: FdbObject, index: number): Buffer => fdb(RTM.NEWNEIGH, REPLACE, o, index);
export const deleteFdb = (o: FdbObject, index: number): Buffer => fdb(RTM.DELNEIGH, NLM_F.ACK, o, index);
/** A bridge's entry for its own MAC, which the kernel makes with the bridge; in each of its VLANs. */
export const createLocalFdb = (mac: string, index: number): Buffer =>
  message(
    RTM.NEWNEIGH,
    REPLACE,
    header({ family: AF_BRIDGE, index, state: NUD.PERMANENT, flags: NTF.SELF }),
    attr(NDA.LLADDR, macOf(mac)),
  );
export const getLocalFdb = (mac: string, index: number): Buffer =>
  message(
    RTM.GETNEIGH,
    NLM_F.ACK,
    header({ family: AF_BRIDGE, index, flags: NTF.SELF }),
    attr(NDA.LLADDR, macOf(mac)),
  );

/** ARP and ND entries of all links (`AF_BRIDGE`: FDB entries). */
export const dumpNeighbours = (family = 0): Buffer => message(RTM.GETNEIGH, 0, header({ family }));

export interface DumpedNeighbour {
  readonly index: number;
  /** bare; empty in FDB entries of bridge ports */
  readonly address: string;
  readonly mac: string;
  readonly permanent: boolean;
}

const stateOf = (m: Buffer): number => m.readUInt16LE(HEADER + 8);
/** True for static FDB entries: dumps are full of learned ones and of the bridge's own (permanent), not worth parsing. */
export const isFixed = (m: Buffer): boolean => (stateOf(m) & NUD.NOARP) !== 0;
/** Index of the link that an entry is of; of a bridge's own, the bridge's. */
export const linkOf = (m: Buffer): number => m.readInt32LE(HEADER + 4);
/** True for entries that do not age. */
export const isPermanent = (m: Buffer): boolean => (stateOf(m) & NUD.PERMANENT) !== 0;

export const parseNeighbour = (m: Buffer): DumpedNeighbour => {
  const attributes = parseAttributes(m.subarray(HEADER + 12));
  const address = attributes.get(NDA.DST);
  return {
    index: linkOf(m),
    address: address ? addressText(address) : '',
    mac: macText(attributes.get(NDA.LLADDR) ?? Buffer.alloc(0)),
    permanent: isPermanent(m),
  };
};
