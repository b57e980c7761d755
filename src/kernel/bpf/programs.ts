/**
 * The program that takes a container's frame to its neighbour past the bridge, and the stub that each port has of it (ADR 39). What is not
 * plainly a container's own packet for a neighbour goes on to the port's nftables guard and the bridge, as without it. Pure.
 *
 * It runs where the host's end of a veth pair receives, before that guard, so it asks the same of MAC and address. Tagged frames, ARP,
 * broadcast and what it does not know fall through. Of IPv6 only TCP and UDP right behind the header pass: behind an extension header
 * might be neighbour discovery, which the guard has to see.
 */
import {
  add,
  assemble,
  call,
  exit,
  jump,
  jumpIf,
  jumpIfRegister,
  type Line,
  label,
  load,
  loadMap,
  move,
  or,
  type Register,
  set,
  store,
} from './assembler.js';

/** `struct __sk_buff` */
const SKB = { VLAN_PRESENT: 20, IFINDEX: 40, DATA: 76, DATA_END: 80 } as const;
/** `enum bpf_func_id` */
const HELPER = { MAP_LOOKUP: 1, TAIL_CALL: 12, CHANGE_TYPE: 32, REDIRECT_PEER: 155 } as const;
/** `TC_ACT_UNSPEC`: as if the filter were not there */
const FALL_THROUGH = -1;
/** `include/uapi/linux/if_packet.h`: as for this machine. A frame for another's MAC would be dropped by the receiver's IP. */
const PACKET_HOST = 0;

const ETHERNET = { TO: 0, FROM: 6, TYPE: 12, SIZE: 14 } as const;
/** As a little-endian machine reads them. */
const TYPE = { IPV4: 0x0008, IPV6: 0xdd86 } as const;
const IPV4 = { FROM: ETHERNET.SIZE + 12, END: ETHERNET.SIZE + 20 } as const;
const IPV6 = { NEXT: ETHERNET.SIZE + 6, FROM: ETHERNET.SIZE + 8, END: ETHERNET.SIZE + 40 } as const;
const PROTOCOL = { TCP: 6, UDP: 17 } as const;

/** An entry of `owns`, by a port's index: bridge's index, MAC, IPv4 and IPv6 address; zeros: none. */
const OWN = { NET: 0, MAC: 4, IPV4: 12, IPV6: 16, SIZE: 32 } as const;
/** A key of `peers`: bridge's index and a MAC. The value is the index of the port that it is behind. */
const PEER = { NET: 0, MAC: 4, SIZE: 12 } as const;

export const OWN_SIZE = OWN.SIZE;
export const PEER_SIZE = PEER.SIZE;

export interface Own {
  /** index of the bridge */
  readonly net: number;
  /** 6 bytes */
  readonly mac: Buffer;
  /** 4 and 16 bytes; absent: the container has none of the family */
  readonly ipv4?: Buffer;
  readonly ipv6?: Buffer;
}

export const ownEntry = ({ net, mac, ipv4, ipv6 }: Own): Buffer => {
  const out = Buffer.alloc(OWN.SIZE);
  out.writeUInt32LE(net, OWN.NET);
  mac.copy(out, OWN.MAC);
  ipv4?.copy(out, OWN.IPV4);
  ipv6?.copy(out, OWN.IPV6);
  return out;
};

export const peerKey = ({ net, mac }: Pick<Own, 'net' | 'mac'>): Buffer => {
  const out = Buffer.alloc(PEER.SIZE);
  out.writeUInt32LE(net, PEER.NET);
  mac.copy(out, PEER.MAC);
  return out;
};

const CONTEXT: Register = 6;
const FRAME: Register = 7;
const FRAME_END: Register = 8;
const OWNED: Register = 9;
const STACK: Register = 10;
const FALL = 'fall through';

/** Falls through where the frame has not so many bytes in front. */
const reaches = (bytes: number): readonly Line[] => [
  move(1, FRAME),
  add(1, bytes),
  jumpIfRegister(1, '>', FRAME_END, FALL),
];

/** Falls through where the frame does not say what the entry does. */
const sameAsOwn = (size: 2 | 4 | 8, frame: number, own: number): readonly Line[] => [
  load(size, 1, FRAME, frame),
  load(size, 2, OWNED, own),
  jumpIfRegister(1, '!=', 2, FALL),
];

/** Looks the key up that lies `below` the end of the stack; falls through where there is no entry. R0: its value. */
const look = (map: number, below: number): readonly Line[] => [
  ...loadMap(1, map),
  move(2, STACK),
  add(2, -below),
  call(HELPER.MAP_LOOKUP),
  jumpIf(0, '==', 0, FALL),
];

const ownPort: readonly Line[] = [load(4, 1, CONTEXT, SKB.IFINDEX), store(4, STACK, -4, 1)];

const ownIpv4: readonly Line[] = [
  // A packet from 0.0.0.0 asks for an address: it is no own one of a container without any.
  load(4, 2, OWNED, OWN.IPV4),
  jumpIf(2, '==', 0, FALL),
  ...sameAsOwn(4, IPV4.FROM, OWN.IPV4),
];

const ownIpv6: readonly Line[] = [
  ...reaches(IPV6.END),
  load(8, 1, OWNED, OWN.IPV6),
  load(8, 2, OWNED, OWN.IPV6 + 8),
  or(1, 2),
  jumpIf(1, '==', 0, FALL),
  ...sameAsOwn(8, IPV6.FROM, OWN.IPV6),
  ...sameAsOwn(8, IPV6.FROM + 8, OWN.IPV6 + 8),
  load(1, 1, FRAME, IPV6.NEXT),
  jumpIf(1, '==', PROTOCOL.TCP, 'own'),
  jumpIf(1, '!=', PROTOCOL.UDP, FALL),
];

const redirect = (peers: number): readonly Line[] => [
  load(4, 1, OWNED, OWN.NET),
  store(4, STACK, -PEER.SIZE, 1),
  load(4, 1, FRAME, ETHERNET.TO),
  store(4, STACK, PEER.MAC - PEER.SIZE, 1),
  load(2, 1, FRAME, ETHERNET.TO + 4),
  store(4, STACK, PEER.MAC + 4 - PEER.SIZE, 1),
  ...look(peers, PEER.SIZE),
  load(4, FRAME, 0, 0),
  // A bridge sends nothing back to where it came from.
  load(4, 1, CONTEXT, SKB.IFINDEX),
  jumpIfRegister(FRAME, '==', 1, FALL),
  move(1, CONTEXT),
  set(2, PACKET_HOST),
  call(HELPER.CHANGE_TYPE),
  move(1, FRAME),
  set(2, 0),
  call(HELPER.REDIRECT_PEER),
  exit(),
];

/** One for all ports; `owns` and `peers` are descriptors of maps. */
export const shortcutProgram = (owns: number, peers: number): Buffer =>
  assemble([
    move(CONTEXT, 1),
    load(4, 1, CONTEXT, SKB.VLAN_PRESENT),
    jumpIf(1, '!=', 0, FALL),
    load(4, FRAME, CONTEXT, SKB.DATA),
    load(4, FRAME_END, CONTEXT, SKB.DATA_END),
    ...reaches(IPV4.END),
    ...ownPort,
    ...look(owns, 4),
    move(OWNED, 0),
    ...sameAsOwn(4, ETHERNET.FROM, OWN.MAC),
    ...sameAsOwn(2, ETHERNET.FROM + 4, OWN.MAC + 4),
    load(2, 1, FRAME, ETHERNET.TYPE),
    jumpIf(1, '==', TYPE.IPV4, 'IPv4'),
    jumpIf(1, '!=', TYPE.IPV6, FALL),
    ...ownIpv6,
    jump('own'),
    label('IPv4'),
    ...ownIpv4,
    label('own'),
    ...redirect(peers),
    label(FALL),
    set(0, FALL_THROUGH),
    exit(),
  ]);

/** What a port's filter is: it runs what is at the place in the array of programs, and falls through where nothing is. */
export const stubProgram = (programs: number, place: number): Buffer =>
  assemble([...loadMap(2, programs), set(3, place), call(HELPER.TAIL_CALL), set(0, FALL_THROUGH), exit()]);
