/**
 * Connections that NAT cannot carry: to `[::1]` (the kernel keeps it on the loopback), and from IPv6 to a container that
 * has IPv4 alone. nftables leads them to one listener; the connection tracker tells where each was going.
 * Invariants: a connection that was not led there, or not to a published port, is reset; every pair of sockets ends
 * together; bounded in number overall and for each published range.
 */

import { connect, createServer, type Server, type Socket } from 'node:net';
import { attempt } from '../errors.js';
import * as ffi from '../kernel/ffi.js';
import { parseSockaddr, type SocketAddress, sockaddr } from '../kernel/sockaddr.js';

/** `include/uapi/linux/netfilter_ipv6/ip6_tables.h`, `netfilter_ipv4.h` */
const ORIGINAL_DST = 80;
const SOL = { IP: 0, IPV6: 41 } as const;
const BACKLOG = 511;

/** Milliseconds until a container's port must have answered. */
const CONNECT_TIMEOUT = 10_000;
/** Milliseconds of silence after which a connection whose one side has ended is given up. */
const HALF_CLOSED_TIMEOUT = 300_000;
/** Milliseconds between probes of a silent peer. */
const KEEPALIVE = 60_000;

/** Two descriptors each. */
const RELAYED_OVERALL = 4096;
const RELAYED_PER_RANGE = 1024;

/** What a published range says to one connection: where to, and who counts it. */
export interface Route {
  readonly target: SocketAddress;
  /** connections under way of this range; the range's end destroys them */
  readonly connections: Set<Socket>;
}

export interface Relay {
  readonly port: number;
  close(): void;
}

const descriptor = (socket: Socket): number => {
  // Node has no public way to a socket's descriptor; `_handle` is there since 0.x and null once closed.
  const handle = (socket as unknown as { readonly _handle: { readonly fd?: number } | null })._handle;
  return handle?.fd ?? -1;
};

/** Where the connection was going before it was led here; undefined: nowhere else, it came straight to us. */
const originalDestination = (socket: Socket): SocketAddress | undefined => {
  const v4 = socket.remoteAddress?.startsWith('::ffff:') || socket.remoteFamily === 'IPv4';
  const raw = Buffer.alloc(128);
  const length = attempt(() => ffi.getsockopt(descriptor(socket), v4 ? SOL.IP : SOL.IPV6, ORIGINAL_DST, raw));
  return length === undefined ? undefined : parseSockaddr(raw.subarray(0, length));
};

const reset = (socket: Socket): void => {
  if (!socket.destroyed) socket.resetAndDestroy();
};

/** Bytes both ways, each side's end passed on; an error on one side resets the other. */
const join = (client: Socket, server: Socket): void => {
  const halfClosed = (): void => {
    for (const side of [client, server]) side.setTimeout(HALF_CLOSED_TIMEOUT, () => side.destroy());
  };
  for (const [side, other] of [
    [client, server],
    [server, client],
  ] as const) {
    side.setKeepAlive(true, KEEPALIVE);
    side.on('end', halfClosed);
    side.on('error', () => reset(other));
    side.on('close', () => other.destroySoon());
    side.pipe(other);
  }
};

const carry = (client: Socket, route: Route): void => {
  const server = connect({
    host: route.target.address,
    port: route.target.port,
    allowHalfOpen: true,
    noDelay: true,
  });
  const failed = (): void => {
    server.destroy();
    reset(client);
  };
  route.connections.add(client);
  client.on('close', () => {
    route.connections.delete(client);
    server.destroySoon();
  });
  client.on('error', () => server.destroy());
  server.on('error', failed);
  server.setTimeout(CONNECT_TIMEOUT, failed);
  server.once('connect', () => {
    server.setTimeout(0);
    server.removeListener('timeout', failed);
    join(client, server);
  });
};

/** A listening socket on every address of the host, both families where it has both. */
const listenEverywhere = (): number => {
  const at = (family: number, address: string): number => {
    const fd = ffi.socket(family, ffi.SOCK.STREAM | ffi.SOCK.NONBLOCK);
    try {
      ffi.bind(fd, sockaddr(address, 0));
      ffi.listen(fd, BACKLOG);
      return fd;
    } catch (error) {
      ffi.close(fd);
      throw error;
    }
  };
  try {
    return at(ffi.AF.INET6, '::');
  } catch {
    return at(ffi.AF.INET, '0.0.0.0');
  }
};

/** `routeOf` answers for an original destination; undefined: nothing is published there. */
export const openRelay = (routeOf: (destination: SocketAddress) => Route | undefined): Relay => {
  let carried = 0;
  const accept = (client: Socket): void => {
    const destination = originalDestination(client);
    const route = destination && routeOf(destination);
    const full = carried >= RELAYED_OVERALL || (route && route.connections.size >= RELAYED_PER_RANGE);
    if (route === undefined || full) {
      reset(client);
      return;
    }
    carried += 1;
    client.once('close', () => {
      carried -= 1;
    });
    carry(client, route);
  };
  const fd = listenEverywhere();
  const port = parseSockaddr(ffi.getsockname(fd))?.port ?? 0;
  const server: Server = createServer({ allowHalfOpen: true, noDelay: true }, accept);
  // accept(2) fails while descriptors are short; the next connection tries again
  server.on('error', () => {});
  server.listen({ fd, exclusive: true });
  return { port, close: () => void server.close() };
};
