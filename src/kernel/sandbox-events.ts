/**
 * Hears of links that die inside sandboxes: a macvlan has no end on the host whose death would tell. One socket hears all
 * namespaces that the host's has numbers for (NETLINK_LISTEN_ALL_NSID, Linux 4.2), which are those with links to it and
 * those numbered by `rtnetlink/nsid.ts`. It does not learn in which one it was, so it only says that something died.
 */
import raw from 'netlink/dist/raw.js';
import * as ffi from './ffi.js';
import { HEADER, messageType, NETLINK, splitMessages } from './netlink.js';
import { type RawSocket, SOL_NETLINK, takeOver } from './raw-socket.js';
import { OWN_GROUP, parseLink } from './rtnetlink/link.js';
import { RTM } from './rtnetlink/numbers.js';

const RTNLGRP_LINK = 1;
const NETLINK_LISTEN_ALL_NSID = 8;
export class SandboxWatch {
  readonly #socket: RawSocket;

  constructor(onDeath: () => void) {
    this.#socket = new raw.RawNetlinkSocket(NETLINK.ROUTE);
    const fd = takeOver(this.#socket, NETLINK.ROUTE);
    ffi.setsockoptInt(fd, SOL_NETLINK, NETLINK_LISTEN_ALL_NSID, 1);
    this.#socket.unref();
    this.#socket.addMembership(RTNLGRP_LINK);
    this.#socket.on('message', (datagram, { port }) => {
      if (port === 0 && mayBeOurs(datagram)) onDeath();
    });
    this.#socket.on('truncatedMessage', onDeath);
    this.#socket.on('error', onDeath);
  }

  close(): void {
    this.#socket.close();
  }
}

/** An exception that leaves the listener would end the process in the library's native code. */
const mayBeOurs = (datagram: Buffer): boolean => {
  try {
    return splitMessages(datagram).some(
      (m) => messageType(m) === RTM.DELLINK && m.readUInt8(HEADER) === 0 && parseLink(m).group === OWN_GROUP,
    );
  } catch {
    return true;
  }
};
