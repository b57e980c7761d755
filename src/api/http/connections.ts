/**
 * The connections of one listener, from the first moment to the last. Their number is bounded: at the limit the one that
 * has been idle longest gives way to a new one; one with a request under way, or whose socket a route has taken over, never
 * does. None stays for ever behind its last answer, whatever its client does or leaves undone, and none outlives a stop:
 * Node knows nothing of connections that were taken over, except that they keep its server from closing.
 */
import type { Duplex, Writable } from 'node:stream';

export interface Limits {
  /** beyond as many, idle ones give way */
  readonly most: number;
  /** ms in which the last bytes of an answer must be taken by a client that may have laid its pager aside */
  readonly unreadMs: number;
  /** ms in which a client must close its side after we closed ours and all that was said is on its way */
  readonly unclosedMs: number;
  /** ms in which what is under way when the daemon stops may come to its end */
  readonly graceMs: number;
}

export const LIMITS: Limits = { most: 4096, unreadMs: 3_600_000, unclosedMs: 10_000, graceMs: 1000 };

export interface Connections {
  /** A connection that has yet to get on with TLS: it takes no place, but goes with the others. */
  approach(socket: Duplex): void;
  /** A connection has been made; it is closed at once where all the others are busy. */
  enter(socket: Duplex): void;
  /** Something is under way on it: a request, or (until `release`) what a route does with a socket that it took over. */
  began(socket: Duplex): void;
  ended(socket: Duplex): void;
  /** All of an answer has been written; what of it the client does not take in time ends the connection. */
  answered(socket: Duplex, answer: Writable): void;
  /** Ends a connection that is not Node's any more: all that there is to say on it has been written. */
  release(socket: Duplex): void;
  /** Idle ones go at once, the others as they end, and whoever is still there when the grace is over. */
  close(): void;
}

export const createConnections = ({ most, unreadMs, unclosedMs, graceMs }: Limits): Connections => {
  /** how many requests are under way on each: clients may send the next before the answer to the first */
  const underWay = new Map<Duplex, number>();
  /** longest idle first */
  const idle = new Set<Duplex>();
  const approaching = new Set<Duplex>();
  let closing = false;
  const leave = (socket: Duplex): void => {
    underWay.delete(socket);
    idle.delete(socket);
  };
  const makeRoom = (): boolean => {
    if (underWay.size < most) return true;
    for (const longest of idle) {
      leave(longest);
      longest.destroy();
      return true;
    }
    return false;
  };
  const change = (socket: Duplex, by: number): void => {
    const before = underWay.get(socket);
    if (before === undefined) return;
    underWay.set(socket, before + by);
    idle.delete(socket);
    if (before + by > 0) return;
    idle.add(socket);
    // Not destroyed: what a client still says unheard would reset the connection, and take the answer with it.
    if (closing) socket.end();
  };
  return {
    approach(socket) {
      approaching.add(socket);
      socket.once('close', () => approaching.delete(socket));
    },
    enter(socket) {
      if (underWay.has(socket)) return;
      if (closing || !makeRoom()) {
        socket.destroy();
        return;
      }
      underWay.set(socket, 0);
      idle.add(socket);
      socket.once('close', () => leave(socket));
    },
    began: (socket) => change(socket, 1),
    ended: (socket) => change(socket, -1),
    answered(socket, answer) {
      // Nearly always the kernel has it all by now.
      if (socket.writableLength > 0) within(unreadMs, answer, 'finish', socket);
    },
    release(socket) {
      if (socket.destroyed || socket.writableEnded) return;
      // Read and dropped: a client's leaving is heard only behind all that it said before, and see `change`.
      socket.removeAllListeners('data').removeAllListeners('end').resume();
      within(unreadMs, socket, 'finish', socket);
      socket.once('finish', () => {
        change(socket, -1);
        within(unclosedMs, socket, 'close', socket);
      });
      socket.end();
    },
    close() {
      closing = true;
      for (const socket of idle) socket.destroy();
      setTimeout(() => {
        for (const socket of [...underWay.keys(), ...approaching]) socket.destroy();
      }, graceMs).unref();
    },
  };
};

/** Destroys the socket unless the stream says so in time. */
const within = (ms: number, stream: Writable, event: 'finish' | 'close', socket: Duplex): void => {
  const timer = setTimeout(() => socket.destroy(), ms).unref();
  const stop = (): void => clearTimeout(timer);
  stream.once(event, stop).once('close', stop);
};
