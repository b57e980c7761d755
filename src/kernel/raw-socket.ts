/** The event sockets of the `netlink` package, with what the library does not set. */
import { readdirSync } from 'node:fs';
import type raw from 'netlink/dist/raw.js';
import { internal } from '../errors.js';
import * as ffi from './ffi.js';

export type RawSocket = InstanceType<typeof raw.RawNetlinkSocket>;

export const SOL_SOCKET = 1;
export const SOL_NETLINK = 270;
const SO = { RCVBUFFORCE: 33, PROTOCOL: 38 } as const;
const NETLINK_NO_ENOBUFS = 5;
/** Room for the notifications of a batch of tens of thousands of elements. */
const RECEIVE_BUFFER = 32 << 20;

/**
 * Gives the library's socket what the library cannot: a buffer beyond `net.core.rmem_max`, and no ENOBUFS, by which libuv
 * closes it and the library ends the process (0.3.0 makes a string of a null pointer). Loss is counted instead. The
 * descriptor is found by protocol and port, which only one socket of a namespace has.
 */
export const takeOver = (socket: RawSocket, protocol: number): number => {
  const { port } = socket.address();
  for (const entry of readdirSync('/proc/self/fd')) {
    const fd = Number(entry);
    if (!isNetlink(fd, protocol, port)) continue;
    ffi.setsockoptInt(fd, SOL_SOCKET, SO.RCVBUFFORCE, RECEIVE_BUFFER);
    ffi.setsockoptInt(fd, SOL_NETLINK, NETLINK_NO_ENOBUFS, 1);
    return fd;
  }
  throw internal('the netlink socket for events has no descriptor');
};

const isNetlink = (fd: number, protocol: number, port: number): boolean => {
  try {
    const name = ffi.getsockname(fd);
    if (name.length < 12 || name.readUInt16LE() !== ffi.AF.NETLINK || name.readUInt32LE(4) !== port)
      return false;
    const value = Buffer.alloc(4);
    ffi.getsockopt(fd, SOL_SOCKET, SO.PROTOCOL, value);
    return value.readInt32LE() === protocol;
  } catch (error) {
    if (error instanceof ffi.SystemError) return false; // not a socket, or closed meanwhile
    throw error;
  }
};
