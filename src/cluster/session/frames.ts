/**
 * Messages over a TLS connection: four bytes of length, then JSON. Invariants: nothing is kept of a message that says it is longer
 * than it may be; a peer that does not read what it is sent is cut off, or waited for (`flow`), so it cannot fill our memory.
 */
import type { Duplex } from 'node:stream';
import { nestsDeeper, TOO_DEEP } from '../../nesting.js';

const HEADER = 4;
/** bytes that a peer may lag behind: a complete assignment of a thousand tasks with their networks is 2 MB */
const MOST_LAG = 64 * 1024 * 1024;

export const encodeFrame = (message: object): Buffer => withLength(Buffer.from(JSON.stringify(message)));

export const withLength = (body: Buffer): Buffer => {
  const header = Buffer.alloc(HEADER);
  header.writeUInt32BE(body.length);
  return Buffer.concat([header, body]);
};

/** Takes bytes as they come; answers the messages that are whole now. Throws where one is too long, too deep or no JSON. */
export const frameDecoder = (limit: () => number): ((chunk: Buffer) => readonly unknown[]) => {
  const split = bodySplitter(limit);
  return (chunk) =>
    split(chunk).map((body) => {
      if (nestsDeeper(body)) throw new Error(TOO_DEEP);
      return JSON.parse(body.toString('utf8'));
    });
};

/** Takes bytes as they come; answers what came with its length and is whole now. Throws where one is too long. */
export const bodySplitter = (limit: () => number): ((chunk: Buffer) => readonly Buffer[]) => {
  let held: Buffer = Buffer.alloc(0);
  /** of the bytes in `held`, which has room for more where they come in small pieces */
  let length = 0;
  /** of the message under way, with its header; 0: not known yet */
  let wanted = 0;
  /** A chunk for each byte would take a hundred times the memory, so they are put together as they come. */
  const hold = (chunk: Buffer): void => {
    const whole = length + chunk.length;
    if (whole > held.length) {
      const former = held.subarray(0, length);
      held = length === 0 ? chunk : Buffer.concat([former, chunk], Math.max(whole, 2 * length));
    } else chunk.copy(held, length);
    length = whole;
  };
  /** What was answered is never written over: what is left has no room, and grows elsewhere. */
  const drop = (bytes: number): void => {
    held = held.subarray(bytes, length);
    length = held.length;
    wanted = 0;
  };
  return (chunk) => {
    hold(chunk);
    const bodies: Buffer[] = [];
    for (;;) {
      if (wanted === 0 && length >= HEADER) {
        const size = held.readUInt32BE(0);
        if (size > limit()) throw new Error(`a message of ${size} bytes, where ${limit()} are allowed`);
        wanted = HEADER + size;
      }
      if (wanted === 0 || length < wanted) return bodies;
      bodies.push(held.subarray(HEADER, wanted));
      drop(wanted);
    }
  };
};

export interface Frames {
  /** It has not read yet what it was sent: more would wait here. */
  readonly clogged: boolean;
  /** Calls back when it has; never, where the connection ends before. */
  drained(then: () => void): void;
  send(message: object): void;
  /** Resolves when the peer can take more, or is gone. */
  flow(bytes: Uint8Array): Promise<void>;
  /** What comes from now on is the caller's to read, from the socket, which stands still; it must not have sent more by now. */
  release(): void;
  /** Sends, then closes the connection. */
  end(message?: object): void;
  destroy(): void;
}

/** `taken` is given each message in order; `closed` once, when the connection is gone, with what broke it, if anything did. */
export const frames = (
  socket: Duplex,
  on: {
    readonly limit: () => number;
    readonly message: (message: unknown) => void;
    readonly closed: (reason: string) => void;
  },
): Frames => {
  const decode = frameDecoder(on.limit);
  let reason = '';
  const fail = (error: unknown): void => {
    reason ||= error instanceof Error ? error.message : String(error);
    socket.destroy();
  };
  let released = false;
  const read = (chunk: Buffer): void => {
    try {
      for (const message of decode(chunk)) {
        if (released) throw new Error('the peer spoke before it was asked');
        if (!socket.destroyed) on.message(message);
      }
    } catch (error) {
      fail(error);
    }
  };
  socket.on('data', read);
  socket.on('error', fail);
  socket.on('end', () => socket.end());
  socket.once('close', () => on.closed(reason));
  return {
    get clogged() {
      return socket.writableNeedDrain;
    },
    drained: (then) => void socket.once('drain', then),
    send(message) {
      if (socket.destroyed || socket.writableEnded) return;
      socket.write(encodeFrame(message));
      if (socket.writableLength > MOST_LAG) fail(new Error('the peer does not read what it is sent'));
    },
    flow(bytes) {
      if (socket.destroyed || socket.writableEnded || socket.write(bytes)) return Promise.resolve();
      return new Promise((resolve) => {
        const go = (): void => {
          socket.off('drain', go).off('close', go);
          resolve();
        };
        socket.on('drain', go).on('close', go);
      });
    },
    release() {
      released = true;
      socket.off('data', read).pause();
    },
    end(message) {
      if (socket.destroyed || socket.writableEnded) return;
      if (message) socket.end(encodeFrame(message));
      else socket.end();
    },
    destroy: () => void socket.destroy(),
  };
};
