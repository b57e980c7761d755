/**
 * Listens to what others change: links, addresses and routes of the host (rtnetlink groups) and nftables transactions.
 * Our own changes carry the port of one of our sockets, or our process id, and are left out; so is what follows from
 * deleting a link of ours. Reports are collected for 50 ms. Lost events (ENOBUFS) are reported as everything dirty.
 */
import netlink from 'netlink';
import type { Drift } from './contract.js';
import * as ffi from './ffi.js';
import {
  HEADER,
  hostSocket,
  messagePort,
  messageType,
  NETLINK,
  parseAttributes,
  splitMessages,
} from './netlink.js';
import { GROUP } from './reaper.js';
import { parseAddress } from './rtnetlink/address.js';
import { type DumpedLink, dumpLinks, parseLink } from './rtnetlink/link.js';
import { RTM } from './rtnetlink/numbers.js';
import { parseRoute } from './rtnetlink/route.js';

/** Multicast groups: `include/uapi/linux/rtnetlink.h`, `netfilter/nfnetlink.h`. */
const RTNLGRP = { LINK: 1, IPV4_IFADDR: 5, IPV4_ROUTE: 7, IPV6_IFADDR: 9, IPV6_ROUTE: 11 } as const;
const NFNLGRP_NFTABLES = 7;
/** Closes each transaction and names the process that made it. */
const NFT_MSG_NEWGEN = (10 << 8) | 15;
const NFTA_GEN_PROC_PID = 2;
const COALESCE_MS = 50;
/** Room for the notifications of a batch of tens of thousands of elements. */
const RECEIVE_BUFFER = 32 << 20;

export interface WatchParts {
  /** names that links of ours have on the host */
  readonly isOurs: (name: string) => boolean;
  /** netlink ports of our sockets beside the host's rtnetlink socket */
  readonly ports: () => readonly number[];
  readonly onDrift: (drift: readonly Drift[]) => void;
}

type RawSocket = InstanceType<typeof netlink.RawNetlinkSocket>;

/** What of a link's state we answer for; carrier and counters change by themselves. */
const signature = (l: DumpedLink): string =>
  [l.name, l.up, l.mtu, l.mac, l.master, l.hairpin, l.isolated].join(' ');

export class Watch {
  readonly #links = new Map<number, DumpedLink>();
  readonly #found = new Map<string, Drift>();
  readonly #sockets: RawSocket[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(private readonly parts: WatchParts) {
    const groups = Object.values(RTNLGRP);
    this.#listen(NETLINK.ROUTE, groups, (m) => this.#route(m));
    this.#listen(NETLINK.NETFILTER, [NFNLGRP_NFTABLES], (m) => this.#nftables(m));
    this.#remember();
  }

  close(): void {
    clearTimeout(this.#timer);
    for (const socket of this.#sockets) socket.close();
    this.#sockets.length = 0;
  }

  #listen(protocol: number, groups: readonly number[], hear: (m: Buffer) => void): void {
    const socket = new netlink.RawNetlinkSocket(protocol);
    enlarge(socket, protocol);
    socket.unref();
    for (const group of groups) socket.addMembership(group);
    socket.on('message', (datagram, { port }) => {
      if (port !== 0) return; // only the kernel is believed
      for (const m of splitMessages(datagram)) hear(m);
    });
    const lost = (): void => this.#everything();
    socket.on('truncatedMessage', lost);
    socket.on('error', lost);
    this.#sockets.push(socket);
  }

  /** Learns the links as they are. */
  #remember(): void {
    this.#links.clear();
    for (const m of hostSocket(NETLINK.ROUTE).dump(dumpLinks(), 'link dump')) {
      const link = parseLink(m);
      this.#links.set(link.index, link);
    }
  }

  #everything(): void {
    for (const { name } of this.#links.values()) if (this.parts.isOurs(name)) this.#linkDrift(name);
    this.#remember();
    for (const { name } of this.#links.values()) if (this.parts.isOurs(name)) this.#linkDrift(name);
    this.#report({ kind: 'route' });
    this.#report({ kind: 'nftables' });
  }

  #byUs(m: Buffer): boolean {
    const port = messagePort(m);
    return port !== 0 && (port === hostSocket(NETLINK.ROUTE).port || this.parts.ports().includes(port));
  }

  #route(m: Buffer): void {
    switch (messageType(m)) {
      case RTM.NEWLINK:
        this.#linkIs(m);
        break;
      case RTM.DELLINK:
        this.#linkGone(m);
        break;
      case RTM.NEWADDR:
      case RTM.DELADDR:
        this.#address(m);
        break;
      case RTM.NEWROUTE:
      case RTM.DELROUTE:
        this.#routeChanged(m);
        break;
    }
  }

  /** Bridges report their ports by messages of family AF_BRIDGE, which tell less: left out. */
  #linkIs(m: Buffer): void {
    if (m.readUInt8(HEADER) !== 0) return;
    const link = parseLink(m);
    const known = this.#links.get(link.index);
    this.#links.set(link.index, link);
    if (this.#byUs(m) || link.group === GROUP) return;
    if (known && signature(known) === signature(link)) return;
    if (this.parts.isOurs(link.name)) this.#linkDrift(link.name);
    if (known && known.name !== link.name && this.parts.isOurs(known.name)) this.#linkDrift(known.name);
  }

  #linkGone(m: Buffer): void {
    if (m.readUInt8(HEADER) !== 0) return;
    const link = parseLink(m);
    this.#links.delete(link.index);
    if (link.group !== GROUP && this.parts.isOurs(link.name) && !this.#byUs(m)) this.#linkDrift(link.name);
  }

  #linkDrift(name: string): void {
    this.#report({ kind: 'link', ns: 'host', name });
  }

  /** An address that the kernel adds, or confirms, by itself is no drift; one that goes is. */
  #address(m: Buffer): void {
    const link = this.#links.get(parseAddress(m).index);
    if (!link || link.group === GROUP || !this.parts.isOurs(link.name) || this.#byUs(m)) return;
    if (messageType(m) === RTM.NEWADDR && messagePort(m) === 0) return;
    this.#report({ kind: 'address', ns: 'host', name: link.name });
  }

  /** Routes of the main table, without those that come and go with our own links. */
  #routeChanged(m: Buffer): void {
    const route = parseRoute(m);
    if (!route.plain || this.#byUs(m)) return;
    const link = this.#links.get(route.index);
    const follows = messagePort(m) === 0 && link !== undefined && this.parts.isOurs(link.name);
    if (!follows) this.#report({ kind: 'route' });
  }

  #nftables(m: Buffer): void {
    if (messageType(m) !== NFT_MSG_NEWGEN) return;
    const pid = parseAttributes(m.subarray(HEADER + 4)).get(NFTA_GEN_PROC_PID);
    if (pid?.readUInt32BE() !== process.pid) this.#report({ kind: 'nftables' });
  }

  #report(drift: Drift): void {
    this.#found.set(JSON.stringify(drift), drift);
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      const found = [...this.#found.values()];
      this.#found.clear();
      this.parts.onDrift(found);
    }, COALESCE_MS);
  }
}

/**
 * The library's own option is capped by `net.core.rmem_max`, so the descriptor is looked for: the netlink socket of this
 * protocol with this port is unique in its namespace.
 */
const enlarge = (socket: RawSocket, protocol: number): void => {
  const SO = { PROTOCOL: 38, RCVBUFFORCE: 33 } as const;
  const { port } = socket.address();
  for (let fd = 3; fd < 1024; fd++) {
    try {
      const name = ffi.getsockname(fd);
      if (name.length < 12 || name.readUInt16LE() !== ffi.AF.NETLINK || name.readUInt32LE(4) !== port)
        continue;
      const value = Buffer.alloc(4);
      ffi.getsockopt(fd, 1, SO.PROTOCOL, value);
      if (value.readInt32LE() !== protocol) continue;
      ffi.setsockoptInt(fd, 1, SO.RCVBUFFORCE, RECEIVE_BUFFER);
      return;
    } catch (error) {
      if (!(error instanceof ffi.SystemError)) throw error; // not a socket, or closed
    }
  }
};
