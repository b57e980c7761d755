/**
 * Datagrams by the batch: one recvmmsg, one sendmmsg (a Node datagram costs a message, an object and a system call
 * each). One arena serves every sandbox, because a batch is received, answered and sent without a pause.
 * Invariant: every address written into a structure points into `arena`, which lives as long as this module.
 * Layout of `mmsghdr`, `iovec` and `sockaddr_in` as on 64-bit Linux (`include/linux/socket.h`).
 */
import { attempt } from '../errors.js';
import * as ffi from '../kernel/ffi.js';
import { sockaddr } from '../kernel/sockaddr.js';
import { OUR_UDP_SIZE } from './message.js';

/** Datagrams drained after each one that Node hands us; libuv calls at most 32 times a turn, so this bounds a turn. */
const SLOTS = 16;
/** Longer questions are cut off and refused as malformed. */
const SLOT = OUR_UDP_SIZE;
const NAME = 16;
const HEADER = 64;
const IOVEC = 16;
const AT = { nameLength: 8, iov: 16, iovCount: 24, flags: 48, length: 56 } as const;

/** One allocation for all: the kernel follows addresses that the garbage collector knows nothing of. */
const arena = Buffer.alloc(SLOTS * (2 * SLOT + NAME + 2 * HEADER + 2 * IOVEC));
let taken = 0;
const slots = (size: number): Buffer => {
  taken += SLOTS * size;
  return arena.subarray(taken - SLOTS * size, taken);
};
const received = slots(SLOT);
const answers = slots(SLOT);
const receiveHeaders = slots(HEADER);
const sendHeaders = slots(HEADER);
const receiveIovecs = slots(IOVEC);
const sendIovecs = slots(IOVEC);
const names = slots(NAME);

const each = (buffer: Buffer, size: number): readonly Buffer[] =>
  Array.from({ length: SLOTS }, (_, i) => buffer.subarray(i * size, (i + 1) * size));
const receivedSlots = each(received, SLOT);
const answerSlots = each(answers, SLOT);

const describe = (headers: Buffer, iovecs: Buffer, data: Buffer): void => {
  for (let i = 0; i < SLOTS; i += 1) {
    const header = i * HEADER;
    headers.writeBigUInt64LE(ffi.addressOf(names) + BigInt(i * NAME), header);
    headers.writeUInt32LE(NAME, header + AT.nameLength);
    headers.writeBigUInt64LE(ffi.addressOf(iovecs) + BigInt(i * IOVEC), header + AT.iov);
    headers.writeBigUInt64LE(1n, header + AT.iovCount);
    iovecs.writeBigUInt64LE(ffi.addressOf(data) + BigInt(i * SLOT), i * IOVEC);
    iovecs.writeBigUInt64LE(BigInt(SLOT), i * IOVEC + 8);
  }
};
describe(receiveHeaders, receiveIovecs, received);
describe(sendHeaders, sendIovecs, answers);

/** Whole sends of refused datagrams are skipped, never repeated: a client asks again. */
const flush = (fd: number, first: number, end: number): void => {
  for (let at = first; at < end; ) {
    const sent = ffi.sendmmsg(fd, at === 0 ? sendHeaders : sendHeaders.subarray(at * HEADER), end - at);
    at += sent > 0 ? sent : 1;
  }
};

/** `from` is the sender's sockaddr, only valid during the call. Answers the bytes written to `out`, 0 for none. */
export type Handle = (message: Buffer, length: number, from: Buffer, out: Buffer) => number;

const nameSlots = each(names, NAME);

/** Calls `handle` for slots 0…count-1 and sends what it wrote; runs of silent slots split the batch. */
const serveSlots = (fd: number, count: number, handle: Handle): void => {
  let first = 0;
  for (let i = 0; i < count; i += 1) {
    const message = receivedSlots[i];
    const out = answerSlots[i];
    const from = nameSlots[i];
    if (message === undefined || out === undefined || from === undefined) return;
    const length = handle(message, receiveHeaders.readUInt32LE(i * HEADER + AT.length), from, out);
    sendIovecs.writeUInt32LE(length, i * IOVEC + 8);
    if (length > 0) continue;
    flush(fd, first, i);
    first = i + 1;
  }
  flush(fd, first, count);
};

/** Answers one datagram that Node received, then every other one that waits (at most a batch). */
export const serve = (
  fd: number,
  datagram: Buffer,
  sender: { address: string; port: number },
  handle: Handle,
): void => {
  datagram.copy(received, 0, 0, SLOT);
  sockaddr(sender.address, sender.port).copy(names, 0);
  receiveHeaders.writeUInt32LE(Math.min(datagram.length, SLOT), AT.length);
  serveSlots(fd, 1, handle);
  serveSlots(fd, ffi.recvmmsg(fd, receiveHeaders, SLOTS), handle);
};

/** Sends a late answer to a sender whose sockaddr was kept. */
export const sendTo = (fd: number, message: Buffer, to: Buffer): void => {
  // Where the client's queue is full, or it is gone, it asks again.
  attempt(() => ffi.send(fd, message, ffi.MSG.DONTWAIT, to));
};
