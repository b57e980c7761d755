/**
 * A client of conmon's attach socket. The socket is SOCK_SEQPACKET, which Node does not know: Node is given one end of
 * a stream socketpair, and the connected socket is put onto that descriptor. Each record is one read: byte 0 tells
 * the stream (2 stdout, 3 stderr), the rest is output.
 */
import { closeSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import * as ffi from '../kernel/ffi.js';

export interface Connection {
  /** Answers false where the caller should wait for `onDrain`. */
  write(data: Buffer, done: (error?: Error | null) => void): void;
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

/** Through a descriptor of the directory: socket addresses hold 107 bytes, paths may be longer. */
const connectTo = (bundle: string): number => {
  const directory = ffi.open(bundle, ffi.O.PATH);
  const fd = ffi.socket(ffi.AF.UNIX, ffi.SOCK.SEQPACKET);
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

const nodeSocket = (seqpacket: number): { socket: Socket; fd: number } => {
  const [fd, other] = ffi.socketpair(ffi.AF.UNIX, ffi.SOCK.STREAM);
  const socket = new Socket({ fd, readable: true, writable: true, allowHalfOpen: true });
  ffi.dup3(seqpacket, fd);
  closeSync(other);
  closeSync(seqpacket);
  return { socket, fd };
};

/**
 * libuv takes a hang-up after a short read as the end of a stream, although further records may be queued: they are
 * fetched here before the descriptor is closed.
 */
const drain = (fd: number, handle: (record: Buffer) => void): void => {
  for (;;) {
    const buffer = Buffer.allocUnsafe(RECORD);
    let length: number;
    try {
      length = ffi.recv(fd, buffer, ffi.MSG.DONTWAIT);
    } catch {
      return;
    }
    if (length <= 0) return;
    handle(buffer.subarray(0, length));
  }
};

/** Throws a SystemError where conmon is gone. */
export const connectConmon = (bundle: string, events: ConnectionEvents): Connection => {
  const { socket, fd } = nodeSocket(connectTo(bundle));
  let ended = false;
  const handle = (record: Buffer) => {
    if (record.length > 1) events.record(record[0] === 3 ? 'stderr' : 'stdout', record.subarray(1));
  };
  const finish = () => {
    if (ended) return;
    ended = true;
    if (!socket.destroyed) drain(fd, handle);
    socket.destroy();
    events.end();
  };
  socket.on('data', handle).on('end', finish).on('error', finish).on('close', finish);
  return {
    write: (data, done) => {
      if (ended) return done(null);
      const pieces = Math.max(1, Math.ceil(data.length / PIECE));
      for (let i = 0; i < pieces; i++) {
        const piece = data.subarray(i * PIECE, (i + 1) * PIECE);
        socket.write(piece, i === pieces - 1 ? done : undefined);
      }
    },
    endInput: () => void (ended || socket.end()),
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    close: () => {
      ended = true;
      socket.destroy();
    },
  };
};
