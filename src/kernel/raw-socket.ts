/** The event sockets of the `netlink` package, with what the library does not set. */
import { readdirSync } from 'node:fs';
import type raw from 'netlink/dist/raw.js';
import { internal } from '../errors.js';
import * as ffi from './ffi.js';

export type RawSocket = InstanceType<typeof raw.RawNetlinkSocket>;

export const SOL_SOCKET = 1;
export const SOL_NETLINK = 270;
const SO = { ATTACH_FILTER: 26, RCVBUFFORCE: 33, PROTOCOL: 38 } as const;
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

/** One instruction of classic BPF (`struct sock_filter`): where the condition does not hold, `skip` others are passed over. */
const instruction = (code: number, value: number, skip = 0): Buffer => {
  const out = Buffer.alloc(8);
  out.writeUInt16LE(code);
  out.writeUInt8(skip, 3);
  out.writeUInt32LE(value, 4);
  return out;
};
/** `include/uapi/linux/bpf_common.h` */
const BPF = { LOAD_BYTE: 0x30, JUMP_EQUAL: 0x15, JUMP_SET: 0x45, RETURN: 0x06 } as const;
const WHOLE = 0xffffffff;

/** What a byte of a notification has to be, or which bits of it have to be set. */
export interface ByteTest {
  readonly offset: number;
  readonly is?: number;
  readonly has?: number;
}

/** The kernel keeps all from the socket that does not pass: whoever waits for something rare is not woken for the rest. */
export const onlyWhere = (fd: number, tests: readonly ByteTest[]): void => {
  const program = Buffer.concat([
    ...tests.flatMap(({ offset, is, has = 0 }, i) => [
      instruction(BPF.LOAD_BYTE, offset),
      instruction(
        is === undefined ? BPF.JUMP_SET : BPF.JUMP_EQUAL,
        is ?? has,
        2 * (tests.length - 1 - i) + 1,
      ),
    ]),
    instruction(BPF.RETURN, WHOLE),
    instruction(BPF.RETURN, 0),
    // V8 moves small buffers, and the kernel reads this one by its address.
    Buffer.alloc(64),
  ]);
  const described = Buffer.alloc(16);
  described.writeUInt16LE(2 * tests.length + 2);
  described.writeBigUInt64LE(ffi.addressOf(program), 8);
  ffi.setsockopt(fd, SOL_SOCKET, SO.ATTACH_FILTER, described);
};
