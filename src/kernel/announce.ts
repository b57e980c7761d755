/**
 * Tells a bridge's neighbours that an address has a new MAC: a gratuitous ARP (RFC 5227) or an unsolicited neighbour
 * advertisement (RFC 4861, 7.2.6), sent through the bridge just before the port comes up, and the host's own neighbour
 * table. Without it peers send to the old MAC for up to 47 s. Sending from inside the sandbox would be lost: its port
 * forwards only a moment after it came up. Best effort: nobody's attach fails for it.
 */
import { addressBytes } from '../model/address-bytes.js';
import type { Netns } from '../plan/objects.js';
import * as ffi from './ffi.js';
import { closing } from './file-calls.js';
import { inNamespace } from './netns.js';
import { macOf } from './rtnetlink/inet.js';
import { getNeighbour, parseNeighbour, refreshNeighbour } from './rtnetlink/neighbour.js';
import type { Session } from './session.js';

const AF_PACKET = 17;
const ETHERTYPE = { ARP: 0x0806, IPV6: 0x86dd } as const;
const BROADCAST = Buffer.from('ffffffffffff', 'hex');
/** Ethernet address of the all-nodes group, ff02::1. */
const ALL_NODES_MAC = Buffer.from('333300000001', 'hex');
const ALL_NODES = Buffer.from('ff020000000000000000000000000001', 'hex');

const ethernet = (to: Buffer, from: Buffer, type: number): Buffer =>
  Buffer.concat([to, from, Buffer.from([type >> 8, type & 0xff])]);

/** An ARP request by which `address` asks for itself: hardware type 1, protocol 0x0800, operation 1. */
const gratuitousArp = (address: Buffer, mac: Buffer): Buffer =>
  Buffer.concat([
    ethernet(BROADCAST, mac, ETHERTYPE.ARP),
    Buffer.from('0001080006040001', 'hex'),
    mac,
    address,
    Buffer.alloc(6),
    address,
  ]);

/** RFC 1071 over data of even length. */
const checksum = (data: Buffer): number => {
  let sum = 0;
  for (let i = 0; i < data.length; i += 2) sum += data.readUInt16BE(i);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
};

const ICMPV6 = 58;

/** Type 136 with the override flag and the target's link-layer address; hop limit 255, or nobody believes it. */
const advertisement = (address: Buffer, mac: Buffer): Buffer => {
  const body = Buffer.concat([
    Buffer.from('8800000020000000', 'hex'),
    address,
    Buffer.from([2, 1]), // option: target link-layer address, one unit of eight bytes
    mac,
  ]);
  const pseudo = Buffer.concat([
    address,
    ALL_NODES,
    Buffer.from([0, 0, 0, body.length, 0, 0, 0, ICMPV6]),
    body,
  ]);
  body.writeUInt16BE(checksum(pseudo), 2);
  const header = Buffer.from([0x60, 0, 0, 0, 0, body.length, ICMPV6, 255]);
  return Buffer.concat([ethernet(ALL_NODES_MAC, mac, ETHERTYPE.IPV6), header, address, ALL_NODES, body]);
};

/** `struct sockaddr_ll` */
const linkAddress = (index: number): Buffer => {
  const out = Buffer.alloc(20);
  out.writeUInt16LE(AF_PACKET, 0);
  out.writeInt32LE(index, 4);
  return out;
};

export interface Announcement {
  /** namespace and name of the bridge */
  readonly ns: Netns;
  readonly bridge: string;
  readonly mac: string;
  /** bare addresses */
  readonly addresses: readonly string[];
}

export const announce = (session: Session, announcement: Announcement): void => {
  const { ns, bridge, addresses } = announcement;
  const index = session.index(ns, bridge);
  if (index === 0 || addresses.length === 0) return;
  tell(index, announcement);
  refresh(session, announcement, index);
};

/** To whoever is behind the bridge with this index: the host's own table is left as it is. */
export const tell = (index: number, { ns, mac, addresses }: Omit<Announcement, 'bridge'>): void => {
  const to = linkAddress(index);
  const from = macOf(mac);
  withPacketSocket(ns, (fd) => {
    for (const text of addresses) {
      const bytes = addressBytes(text);
      if (!bytes) continue;
      const address = Buffer.from(bytes);
      sendQuietly(fd, address.length === 4 ? gratuitousArp(address, from) : advertisement(address, from), to);
    }
  });
};

let hostPacketSocket = -1;

/** The host's is kept: closing a packet socket waits for RCU, 13 ms. */
const withPacketSocket = (ns: Netns, work: (fd: number) => void): void => {
  if (ns === 'host') {
    if (hostPacketSocket < 0) hostPacketSocket = ffi.socket(AF_PACKET, ffi.SOCK.RAW);
    work(hostPacketSocket);
    return;
  }
  closing(
    inNamespace(ns, () => ffi.socket(AF_PACKET, ffi.SOCK.RAW)),
    work,
  );
};

/** A bridge that is down or full of traffic drops the frame: the peers' own time-out remains. */
const sendQuietly = (fd: number, frame: Buffer, to: Buffer): void => {
  try {
    ffi.send(fd, frame, ffi.MSG.DONTWAIT, to);
  } catch (error) {
    if (!(error instanceof ffi.SystemError)) throw error;
  }
};

/** The host hears nothing of what it sends itself: its own entries are corrected; permanent ones are not ours to touch. */
const refresh = (session: Session, { ns, mac, addresses }: Announcement, index: number): void => {
  const socket = session.socket(ns);
  const replies: Buffer[] = [];
  const wanted = addresses.map((address) => getNeighbour(address, index));
  socket.attempt(wanted, 'neighbour get', replies);
  const stale = replies.map(parseNeighbour).filter((n) => !n.permanent && n.mac !== mac);
  if (stale.length > 0)
    socket.attempt(
      stale.map((n) => refreshNeighbour(n.address, mac, index)),
      'neighbour refresh',
    );
};
