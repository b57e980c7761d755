/** The terminal of an exec: crun sends its master side over a socket (`--console-socket`); we read, write, resize it. */

import { randomBytes } from 'node:crypto';
import { closeSync, readSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { ReadStream } from 'node:tty';
import { EAGAIN, failedWith } from '../errno.js';
import { attempt, internal } from '../errors.js';
import * as ffi from '../kernel/ffi.js';
import type { TerminalSize } from './contract.js';

/** TIOCSWINSZ of `include/uapi/asm-generic/ioctls.h` */
const TIOCSWINSZ = 0x5414;
/** milliseconds */
const PATIENCE = 10_000;

export interface ConsoleSocket {
  readonly path: string;
  /** Resolves to the master's descriptor. */
  readonly received: Promise<number>;
  /** Of a runtime that has ended: whether it had connected. */
  hasCome(): Promise<boolean>;
  close(): void;
}

/** Node keeps an accepted socket's descriptor in its handle; nothing public tells it. */
const descriptorOf = (socket: Socket): number => {
  const { _handle } = socket as unknown as { _handle: { fd: number } | null };
  if (!_handle) throw internal('the console socket was closed');
  return _handle.fd;
};

/** The message follows the connection at once; until then the socket answers EAGAIN. */
const receive = async (socket: Socket): Promise<number> => {
  for (let waited = 0; waited < PATIENCE; waited++) {
    try {
      const master = ffi.recvDescriptor(descriptorOf(socket));
      if (master < 0) throw internal('the OCI runtime sent no terminal');
      return master;
    } catch (error) {
      if (!failedWith(error, EAGAIN)) throw error;
      await sleep(1);
    }
  }
  throw internal('the OCI runtime sent no terminal in time');
};

export const consoleSocket = async (directory: string): Promise<ConsoleSocket> => {
  const path = join(directory, randomBytes(6).toString('hex'));
  const server: Server = createServer({ pauseOnConnect: true });
  const close = () => {
    server.close();
    rmSync(path, { force: true });
  };
  await new Promise<void>((resolve, reject) => server.on('error', reject).listen(path, resolve));
  let come = false;
  const received = new Promise<number>((resolve, reject) => {
    server.once('connection', (socket) => {
      come = true;
      socket.on('error', reject);
      receive(socket)
        .then(resolve, reject)
        .finally(() => {
          socket.destroy();
          close();
        });
    });
  });
  // Awaited by whoever opened it; one whose runtime fails first is not waited for.
  received.catch(() => {});
  // A connection that was made lies in the listening socket: the next round of the event loop takes it.
  const hasCome = async (): Promise<boolean> => {
    for (let round = 0; round < 2 && !come; round++) await setImmediate();
    return come;
  };
  return { path, received, hasCome, close };
};

export interface Terminal {
  readonly output: Readable;
  readonly input: Writable;
  resize(size: TerminalSize): void;
}

/** F_DUPFD_CLOEXEC of `include/uapi/linux/fcntl.h` */
const F_DUPFD_CLOEXEC = 1030;

/** What is still queued; EIO is the end. */
const drain = (fd: number, handle: (chunk: Buffer) => void): void => {
  for (;;) {
    const buffer = Buffer.allocUnsafe(65_536);
    const length = attempt(() => readSync(fd, buffer)) ?? 0;
    if (length <= 0) return;
    handle(buffer.subarray(0, length));
  }
};

/**
 * A master answers EIO when the last process has closed the other side: that is the end of output. libuv takes the
 * hang-up for the end as soon as a read came short, although more may be queued: that is fetched by a second descriptor.
 */
export const openTerminal = (master: number): Terminal => {
  const own = ffi.fcntl(master, F_DUPFD_CLOEXEC, 3);
  const stream = new ReadStream(master);
  let open = true;
  const output = new Readable({
    read: () => void stream.resume(),
    destroy: (error, done) => {
      // A process that still writes must not be stopped by our not reading.
      stream.resume();
      done(error);
    },
  }).on('error', () => {});
  const end = () => {
    if (!open) return;
    open = false;
    if (!output.destroyed) {
      drain(own, (chunk) => output.push(chunk));
      output.push(null);
    }
    closeSync(own);
    stream.destroy();
  };
  stream.on('data', (chunk: Buffer) => {
    if (!output.destroyed && !output.push(chunk)) stream.pause();
  });
  stream.on('end', end).on('error', end).on('close', end);
  return {
    output,
    input: new Writable({
      write: (chunk: Buffer, _, done) => (open ? stream.write(chunk, () => done()) : done()),
    }).on('error', () => {}),
    resize: ({ rows, columns }) => {
      if (!open) return;
      const size = Buffer.alloc(8);
      size.writeUInt16LE(rows, 0);
      size.writeUInt16LE(columns, 2);
      ffi.ioctl(own, TIOCSWINSZ, size);
    },
  };
};
