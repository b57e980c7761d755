/**
 * A client of conmon's attach socket. The socket is SOCK_SEQPACKET, which Node does not know: Node is given one end of
 * a stream socketpair, and the connected socket is put onto that descriptor. Each record is one read: byte 0 tells
 * the stream (2 stdout, 3 stderr), the rest is output.
 *
 * Three descriptors of the one socket. A container that has ended, or closed its input, makes our writing fail (EPIPE)
 * and our next reading too (ECONNRESET), and Node then closes the descriptor, although output is still queued in the
 * kernel. So input and output are two sockets to Node, and a third descriptor fetches what is left.
 */

import { closeSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { ECONNRESET, failedWith } from '../errno.js';
import * as ffi from '../kernel/ffi.js';

export interface Connection {
  /** `done` when it is with conmon, or nobody reads input any more: that is no error. */
  write(data: Buffer, done: () => void): void;
  /** conmon takes it as end of input */
  endInput(): void;
  pause(): void;
  resume(): void;
  close(): void;
}

export interface ConnectionEvents {
  record(stream: 'stdout' | 'stderr', data: Buffer): void;
  /** all output has been handed over */
  end(): void;
}

/** conmon's buffer: it reads at most this much of a record. */
const PIECE = 8192;
const RECORD = 8192 + 1;

const addressOf = (path: string): Buffer => {
  const address = Buffer.alloc(2 + Buffer.byteLength(path) + 1);
  address.writeUInt16LE(ffi.AF.UNIX, 0);
  address.write(path, 2);
  return address;
};

/**
 * Through a descriptor of the directory: socket addresses hold 107 bytes, paths may be longer. Not blocking: the flag is
 * the socket's, not the descriptor's, and a container that does not read its input would hold up our whole process.
 */
const connectTo = (bundle: string): number => {
  const directory = ffi.open(bundle, ffi.O.PATH);
  const fd = ffi.socket(ffi.AF.UNIX, ffi.SOCK.SEQPACKET | ffi.SOCK.NONBLOCK);
  try {
    ffi.connect(fd, addressOf(join(`/proc/self/fd/${directory}`, 'attach')));
    return fd;
  } catch (error) {
    ffi.close(fd);
    throw error;
  } finally {
    ffi.close(directory);
  }
};

/** One way of the socket for Node; `seqpacket` stays open. */
const nodeSocket = (
  seqpacket: number,
  way: { readonly readable: boolean; readonly writable: boolean },
): Socket => {
  const [fd, other] = ffi.socketpair(ffi.AF.UNIX, ffi.SOCK.STREAM);
  const socket = new Socket({ fd, ...way, allowHalfOpen: true });
  // Each of its errors is followed by its close.
  socket.on('error', () => {});
  ffi.dup3(seqpacket, fd);
  closeSync(other);
  return socket;
};

/** The next queued record; empty where there is none. */
const receive = (fd: number): Buffer => {
  const buffer = Buffer.allocUnsafe(RECORD);
  for (;;) {
    try {
      return buffer.subarray(0, Math.max(0, ffi.recv(fd, buffer, ffi.MSG.DONTWAIT)));
    } catch (error) {
      // The kernel tells of the reset before it hands out what was queued, and forgets it by telling.
      if (!failedWith(error, ECONNRESET)) return buffer.subarray(0, 0);
    }
  }
};

/**
 * libuv takes a hang-up after a short read as the end of a stream, although further records may be queued, and an error
 * in any case: they are fetched here before the last descriptor is closed.
 */
const drain = (fd: number, handle: (record: Buffer) => void): void => {
  for (let record = receive(fd); record.length > 0; record = receive(fd)) handle(record);
};

/** Throws a SystemError where conmon is gone. */
export const connectConmon = (bundle: string, events: ConnectionEvents): Connection => {
  const own = connectTo(bundle);
  const output = nodeSocket(own, { readable: true, writable: false });
  const input = nodeSocket(own, { readable: false, writable: true });
  let open = true;
  const close = (): void => {
    open = false;
    output.destroy();
    input.destroy();
    closeSync(own);
  };
  const handle = (record: Buffer) => {
    if (record.length > 1) events.record(record[0] === 3 ? 'stderr' : 'stdout', record.subarray(1));
  };
  const finish = () => {
    if (!open) return;
    drain(own, handle);
    close();
    events.end();
  };
  output.on('data', handle).on('end', finish).on('close', finish);
  return {
    write: (data, done) => {
      const pieces = Math.max(1, Math.ceil(data.length / PIECE));
      for (let i = 0; i < pieces; i++) {
        if (!input.writable) return done();
        const piece = data.subarray(i * PIECE, (i + 1) * PIECE);
        input.write(piece, i === pieces - 1 ? () => done() : undefined);
      }
    },
    endInput: () => void input.end(),
    pause: () => void output.pause(),
    resume: () => void output.resume(),
    close: () => {
      if (open) close();
    },
  };
};
