/**
 * Messages over a TLS connection: four bytes of length, then JSON. Invariants: nothing is kept of a message that says it is longer
 * than it may be; a peer that does not read what it is sent is cut off, so it cannot fill our memory.
 */
import type { Duplex } from 'node:stream';

const HEADER = 4;
/** bytes that a peer may lag behind: a complete assignment of a thousand tasks with their networks is 2 MB */
const MOST_LAG = 64 * 1024 * 1024;

export const encodeFrame = (message: object): Buffer => {
  const body = Buffer.from(JSON.stringify(message));
  const header = Buffer.alloc(HEADER);
  header.writeUInt32BE(body.length);
  return Buffer.concat([header, body]);
};

/** Takes bytes as they come; answers the messages that are whole now. Throws where one is too long or no JSON. */
export const frameDecoder = (limit: () => number): ((chunk: Buffer) => readonly unknown[]) => {
  let chunks: Buffer[] = [];
  let length = 0;
  /** of the message under way, with its header; 0: not known yet */
  let wanted = 0;
  const join = (): Buffer => {
    const [first] = chunks;
    const whole = chunks.length === 1 && first ? first : Buffer.concat(chunks);
    chunks = [whole];
    return whole;
  };
  const drop = (bytes: number): void => {
    const rest = join().subarray(bytes);
    chunks = rest.length > 0 ? [rest] : [];
    length = rest.length;
    wanted = 0;
  };
  return (chunk) => {
    chunks.push(chunk);
    length += chunk.length;
    const messages: unknown[] = [];
    for (;;) {
      if (wanted === 0 && length >= HEADER) {
        const size = join().readUInt32BE(0);
        if (size > limit()) throw new Error(`a message of ${size} bytes, where ${limit()} are allowed`);
        wanted = HEADER + size;
      }
      if (wanted === 0 || length < wanted) return messages;
      messages.push(JSON.parse(join().toString('utf8', HEADER, wanted)));
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
  socket.on('data', (chunk: Buffer) => {
    try {
      for (const message of decode(chunk)) if (!socket.destroyed) on.message(message);
    } catch (error) {
      fail(error);
    }
  });
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
    end(message) {
      if (socket.destroyed || socket.writableEnded) return;
      if (message) socket.end(encodeFrame(message));
      else socket.end();
    },
    destroy: () => void socket.destroy(),
  };
};
