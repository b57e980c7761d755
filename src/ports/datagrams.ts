/**
 * UDP that NAT cannot carry, relayed through the very socket that holds the port: one session per client, ended after a
 * minute of silence. Bounded: the session that was silent longest gives way.
 */
import { createSocket, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import * as ffi from '../kernel/ffi.js';
import type { SocketAddress } from '../kernel/sockaddr.js';

/** Milliseconds; docker-proxy's 90 s and the kernel's 30–120 s lie around it. */
const SESSION_IDLE = 60_000;
/** One descriptor each. */
const SESSIONS_PER_PORT = 256;

/** `include/uapi/asm-generic/socket.h` */

interface Session {
  readonly socket: Socket;
  readonly idle: NodeJS.Timeout;
  /** datagrams that came before the socket was connected; null: it is */
  early: Buffer[] | null;
}

/** Datagrams kept while a session's socket is being connected. */
const EARLY = 16;

export interface DatagramRelay {
  /** Ends every session and closes the held socket: the port is free. */
  close(): void;
}

/** Takes over `fd`, a bound UDP socket. `target` is asked at the beginning of each session. */
export const relayDatagrams = (fd: number, v6: boolean, target: () => SocketAddress): DatagramRelay => {
  const sessions = new Map<string, Session>();
  const held = createSocket(v6 ? 'udp6' : 'udp4');
  let open = true;

  const end = (client: string): void => {
    const session = sessions.get(client);
    if (session === undefined) return;
    sessions.delete(client);
    clearTimeout(session.idle);
    session.socket.close();
  };

  const touch = (client: string, session: Session): void => {
    session.idle.refresh();
    // the map's order is the order of last use
    sessions.delete(client);
    sessions.set(client, session);
  };

  const begin = (client: string, address: string, port: number): Session => {
    for (const oldest of sessions.keys()) {
      if (sessions.size < SESSIONS_PER_PORT) break;
      end(oldest);
    }
    const socket = createSocket(isIPv6(target().address) ? 'udp6' : 'udp4');
    const session: Session = {
      socket,
      idle: setTimeout(() => end(client), SESSION_IDLE),
      early: [],
    };
    socket.on('error', () => end(client));
    socket.on('message', (answer) => {
      if (!open || !sessions.has(client)) return;
      touch(client, session);
      held.send(answer, port, address, () => {});
    });
    const { address: host, port: to } = target();
    socket.connect(to, host, () => {
      for (const datagram of session.early ?? []) socket.send(datagram, () => {});
      session.early = null;
    });
    sessions.set(client, session);
    return session;
  };

  held.on('message', (datagram, from) => {
    const client = `${from.address} ${from.port}`;
    const session = sessions.get(client) ?? begin(client, from.address, from.port);
    touch(client, session);
    if (session.early === null) session.socket.send(datagram, () => {});
    else if (session.early.length < EARLY) session.early.push(datagram);
  });
  // an ICMP error of a client that went away; the session times out
  held.on('error', () => {});
  held.bind({ fd, exclusive: true });
  // libuv sets SO_REUSEADDR on every descriptor it is given, with which others could bind the port too
  ffi.setsockoptInt(fd, ffi.SOL.SOCKET, ffi.SO.REUSEADDR, 0);

  return {
    close() {
      if (!open) return;
      open = false;
      for (const client of [...sessions.keys()]) end(client);
      held.close();
    },
  };
};
