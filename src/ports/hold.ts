/**
 * Holding one host port: a socket that is bound and never served. Bound without SO_REUSEADDR, nobody else can bind it;
 * not listening, it refuses connections like any closed port until NAT takes them. Invariant: a socket is closed on
 * every failure.
 */

import { isIPv6 } from 'node:net';
import { EADDRINUSE, failedWith } from '../errno.js';
import { internal, PortError, type ViaductError } from '../errors.js';
import * as ffi from '../kernel/ffi.js';
import { sockaddr } from '../kernel/sockaddr.js';
import type { Protocol } from '../model/port.js';
import { textOrNone } from '../small-files.js';

const IPPROTO = { tcp: 6, udp: 17, sctp: 132, IPV6: 41 } as const;
/** `include/uapi/asm-generic/socket.h` */
const IPV6_V6ONLY = 26;

/** `sock_fprog` at 0, its one instruction (BPF_RET|BPF_K, 0: drop everything) at 64; one block that never moves. */
const dropAll = Buffer.alloc(128);
dropAll.writeUInt16LE(1, 0);
dropAll.writeBigUInt64LE(ffi.addressOf(dropAll) + 64n, 8);
dropAll.writeUInt16LE(0x06, 64);

const nothing = Buffer.alloc(4);

/** Nothing arrives any more, no handshake either. */
const deafen = (fd: number): void =>
  ffi.setsockopt(fd, ffi.SOL.SOCKET, ffi.SO.ATTACH_FILTER, dropAll.subarray(0, 16));

/** A UDP socket that nobody reads gathers 2 KiB, the kernel's least, and drops the rest. (A filter takes 15 µs a port.) */
const starve = (fd: number): void => ffi.setsockopt(fd, ffi.SOL.SOCKET, ffi.SO.RCVBUF, nothing);

/** Where a port is to be held: made once for a range, the port is written into it. */
export interface Place {
  readonly protocol: Protocol;
  readonly address: string;
  readonly v6: boolean;
  /** `::` that holds 0.0.0.0 too: one socket where two would be */
  readonly dual: boolean;
  /** An IPv6 socket has to be told which families it holds; one call of three for each port. */
  readonly toTell: boolean;
  readonly sockaddr: Buffer;
}

/** Throws internal where `address` is none. IPv6 link-local addresses carry their zone. */
export const placeOf = (protocol: Protocol, address: string): Place => {
  const [bare = '', zone] = address.split('%', 2);
  const scope = zone === undefined ? 0 : ffi.ifNameToIndex(zone);
  try {
    const v6 = isIPv6(bare);
    return { protocol, address, v6, dual: false, toTell: v6, sockaddr: sockaddr(bare, 0, scope) };
  } catch (cause) {
    throw internal(`invalid host address ${address.slice(0, 64)}`, cause);
  }
};

/** Every address of both families, as a socket is born where the host does not say otherwise. */
export const dualPlace = (protocol: Protocol): Place => ({
  ...placeOf(protocol, '::'),
  dual: true,
  toTell: textOrNone('/proc/sys/net/ipv6/bindv6only').trim() !== '0',
});

const opened = (place: Place, prepare: (fd: number) => void): number => {
  const type = place.protocol === 'udp' ? ffi.SOCK.DGRAM : ffi.SOCK.STREAM;
  const family = place.v6 ? ffi.AF.INET6 : ffi.AF.INET;
  const fd = ffi.socket(family, type | ffi.SOCK.NONBLOCK, IPPROTO[place.protocol]);
  try {
    if (place.toTell) ffi.setsockoptInt(fd, IPPROTO.IPV6, IPV6_V6ONLY, place.dual ? 0 : 1);
    prepare(fd);
    return fd;
  } catch (error) {
    ffi.close(fd);
    throw error;
  }
};

const isInUse = (error: unknown): boolean => failedWith(error, EADDRINUSE);

/**
 * Answers the descriptor. `heard`: a UDP socket whose datagrams will be read. Throws SystemError.
 * A TCP port whose former server left connections in TIME_WAIT refuses a plain bind for a minute; those give way to
 * SO_REUSEADDR, and then only listening keeps others out.
 */
export const hold = (place: Place, port: number, heard = false): number => {
  place.sockaddr.writeUInt16BE(port, 2);
  try {
    return opened(place, (fd) => {
      if (place.protocol === 'udp' && !heard) starve(fd);
      ffi.bind(fd, place.sockaddr);
    });
  } catch (error) {
    if (place.protocol !== 'tcp' || !isInUse(error)) throw error;
    return opened(place, (fd) => {
      ffi.setsockoptInt(fd, ffi.SOL.SOCKET, ffi.SO.REUSEADDR, 1);
      deafen(fd);
      ffi.bind(fd, place.sockaddr);
      ffi.listen(fd, 1);
    });
  }
};

/** The C library's texts, which Docker's messages end in. */
const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'address already in use',
  EADDRNOTAVAIL: 'cannot assign requested address',
  EACCES: 'permission denied',
  EPROTONOSUPPORT: 'protocol not supported',
  EAFNOSUPPORT: 'address family not supported by protocol',
  EMFILE: 'too many open files: raise the daemon’s limit of open files (LimitNOFILE, ulimit -n)',
  ENFILE: 'too many open files in system: raise fs.file-max',
  ENOBUFS: 'no buffer space available',
};

const placeText = (place: Place, port: number): string =>
  `${place.v6 ? `[${place.address}]` : place.address}:${port}/${place.protocol}`;

/** The kernel asks for the interface by EINVAL. */
const isZoneless = ({ address }: Place, { code }: ffi.SystemError): boolean =>
  code === 'EINVAL' && /^fe[89ab]/i.test(address) && !address.includes('%');

/** moby's message (daemon/libnetwork/portallocator) for a port that the kernel refuses. */
export const refusal = (place: Place, port: number, error: unknown): ViaductError => {
  if (!(error instanceof ffi.SystemError)) return new PortError(String(error), error);
  const what = error.call === 'socket' ? 'failed to create socket for' : 'failed to bind host port';
  const reason = isZoneless(place, error)
    ? 'a link-local address needs its interface, as in fe80::1%eth0'
    : (REASONS[error.code] ?? error.code);
  return new PortError(`${what} ${placeText(place, port)}: ${reason}`, error);
};

/** True where the port can be held on the address now. Throws SystemError for anything but a holder. */
export const isFree = (place: Place, port: number): boolean => {
  try {
    ffi.close(hold(place, port));
    return true;
  } catch (error) {
    if (isInUse(error)) return false;
    throw error;
  }
};
