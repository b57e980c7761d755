/**
 * Opens a manager's door, TCP 2377: accepts connections, reads from the first bytes which protocol each asks for, and hands it on. Invariants: TLS is end to end (bytes for etcd pass unread); a
 * connection that has not said who it is costs little, and lasts and counts only so much.
 */

import { constants } from 'node:crypto';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { pipeline } from 'node:stream';
import { createServer as createTlsServer, type SecureContextOptions, type TLSSocket } from 'node:tls';
import { unavailable } from '../../errors.js';
import { formatAddress, parseAddress } from '../../model/address.js';
import { identityOf } from '../ca/authority.js';
import type { Endpoint } from '../etcd/contract.js';
import { ALPN } from '../session/protocol.js';
import type { Door, DoorAddress, DoorSettings, DoorTls } from './contract.js';
import { readHello } from './hello.js';

export interface DoorLimits {
  /** milliseconds until a connection has said what it wants, and again until TLS is complete */
  readonly handshakeMs: number;
  /** connections of one origin that have not shown a valid certificate: half open, or passed on to etcd */
  readonly perOrigin: number;
  /** the same of all origins */
  readonly inAll: number;
}

/** A member of etcd keeps some six connections to each other one. */
const LIMITS: DoorLimits = { handshakeMs: 10_000, perOrigin: 64, inAll: 2_048 };

const KEEP_ALIVE_MS = 30_000;

/** An IPv4 address, or the 64 bits of an IPv6 one that a single customer has to himself. */
const originOf = (address: string): string => {
  const parsed = parseAddress(address);
  if (!parsed) return '';
  return parsed.family === 4 ? formatAddress(parsed) : `${parsed.value >> 64n}`;
};
const plain = (address: string): string => {
  const parsed = parseAddress(address);
  return parsed ? formatAddress(parsed) : address;
};

/** No tickets: who comes again shows his certificate again, so a new authority or an expiry counts at once. */
const contextOf = ({ certificate, key, trust }: DoorTls): SecureContextOptions => ({
  cert: certificate,
  key,
  ca: trust,
  minVersion: 'TLSv1.3',
  secureOptions: constants.SSL_OP_NO_TICKET,
});

const endsOf = ({ remoteAddress, remotePort, localAddress, localPort }: Socket): string =>
  `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;

const connectTo = (endpoint: Endpoint): Socket => {
  const socket = endpoint.kind === 'unix' ? connect(endpoint.path) : connect(endpoint.port, endpoint.host);
  return socket.on('error', () => {}); // its close tells what matters
};

const listen = (server: Server, { host, port }: DoorAddress): Promise<DoorAddress> =>
  new Promise((resolve, reject) => {
    const refused = (cause: Error): void =>
      reject(unavailable(`the port ${port} of ${host} cannot be had for the swarm: ${cause.message}`, cause));
    server.once('error', refused);
    server.listen({ host, port, ipv6Only: host.includes(':') && host !== '::' }, () => {
      server.off('error', refused);
      const bound = server.address();
      resolve({ host, port: typeof bound === 'object' && bound ? bound.port : port });
    });
  });

/** Throws unavailable where an address cannot be listened on. */
export const openDoor = async (settings: DoorSettings, given: Partial<DoorLimits> = {}): Promise<Door> => {
  const limits = { ...LIMITS, ...given };
  const sockets = new Set<Socket>();
  /** connections that nobody has vouched for, by origin */
  const strangers = new Map<string, number>();
  let inAll = 0;

  /** False: too many. Answers how to stop counting it. */
  const count = (origin: string): (() => void) | undefined => {
    const now = strangers.get(origin) ?? 0;
    if (now >= limits.perOrigin || inAll >= limits.inAll) return undefined;
    strangers.set(origin, now + 1);
    inAll += 1;
    let counted = true;
    return () => {
      if (!counted) return;
      counted = false;
      inAll -= 1;
      const left = (strangers.get(origin) ?? 1) - 1;
      if (left === 0) strangers.delete(origin);
      else strangers.set(origin, left);
    };
  };

  /** How to stop counting a connection, by both its ends: TLS puts another object in the socket's place. */
  const vouchers = new Map<string, () => void>();

  const sessions = createTlsServer(
    {
      ...contextOf(settings.tls),
      requestCert: true,
      rejectUnauthorized: false, // who wants to join has none; others are judged below
      ALPNProtocols: [ALPN],
      handshakeTimeout: limits.handshakeMs,
    },
    (socket) => welcome(socket),
  );
  sessions.on('error', () => {}).on('tlsClientError', (_, socket) => socket.destroy());

  const welcome = (socket: TLSSocket): void => {
    socket.on('error', () => {}); // whoever takes it hears them too
    const certificate = socket.getPeerX509Certificate();
    const peer = certificate && socket.authorized ? identityOf(certificate) : undefined;
    if (certificate && !peer) return void socket.destroy();
    const address = plain(socket.remoteAddress ?? '');
    if (peer) vouchers.get(endsOf(socket))?.();
    settings.session({ socket, peer, address });
  };

  /** Bytes go both ways unread until one end is over. */
  const passOn = (socket: Socket, head: Buffer): void => {
    const endpoint = settings.peers();
    if (!endpoint) return void socket.destroy();
    const member = connectTo(endpoint);
    sockets.add(member);
    member.once('close', () => sockets.delete(member));
    member.write(head);
    pipeline(socket, member, () => {});
    pipeline(member, socket, () => {});
  };

  const handOver = (socket: Socket, head: Buffer, protocols: readonly string[]): void => {
    if (protocols.length === 0) passOn(socket, head);
    else if (protocols.includes(ALPN)) {
      socket.unshift(head);
      sessions.emit('connection', socket);
    } else socket.destroy();
  };

  const accept = (socket: Socket): void => {
    socket.on('error', () => {}); // its close tells what matters
    const release = count(originOf(socket.remoteAddress ?? ''));
    if (!release) return void socket.destroy();
    sockets.add(socket);
    const ends = endsOf(socket);
    vouchers.set(ends, release);
    const late = setTimeout(() => socket.destroy(), limits.handshakeMs);
    socket.once('close', () => {
      clearTimeout(late);
      sockets.delete(socket);
      vouchers.delete(ends);
      release();
    });
    socket.setNoDelay(true).setKeepAlive(true, KEEP_ALIVE_MS);
    let head = Buffer.alloc(0);
    let need = 0;
    const read = (chunk: Buffer): void => {
      head = Buffer.concat([head, chunk]);
      if (head.length < need) return;
      const hello = readHello(head);
      if (hello.kind === 'incomplete') {
        need = hello.need;
        return;
      }
      clearTimeout(late);
      socket.off('data', read).pause();
      if (hello.kind === 'stranger') socket.destroy();
      else handOver(socket, head, hello.protocols);
    };
    socket.on('data', read);
  };

  const servers: Server[] = [];
  const close = async (): Promise<void> => {
    const closed = servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve())));
    for (const socket of sockets) socket.destroy();
    await Promise.all(closed);
  };

  const addresses: DoorAddress[] = [];
  try {
    for (const address of settings.listen) {
      const server = createServer(accept).on('error', () => {}); // of single connections; `listen` hears its own
      servers.push(server);
      addresses.push(await listen(server, address));
    }
  } catch (error) {
    await close();
    throw error;
  }
  return { addresses, secure: (tls) => sessions.setSecureContext(contextOf(tls)), close };
};
