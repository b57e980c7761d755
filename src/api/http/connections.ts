/**
 * The connections of one listener, bounded: at the limit the one that has been idle longest gives way to a new one. One
 * with a request under way, or whose socket a route has taken over, never does.
 */
import type { Duplex } from 'node:stream';

export interface Connections {
  /** A connection has been made; it is closed at once where all the others are busy. */
  enter(socket: Duplex): void;
  /** Something is under way on it: a request, or (when nobody says `ended`) for as long as it lasts. */
  began(socket: Duplex): void;
  ended(socket: Duplex): void;
}

export const createConnections = (most: number): Connections => {
  /** how many requests are under way on each: clients may send the next before the answer to the first */
  const underWay = new Map<Duplex, number>();
  /** longest idle first */
  const idle = new Set<Duplex>();
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
    if (before + by === 0) idle.add(socket);
  };
  return {
    enter(socket) {
      if (underWay.has(socket)) return;
      if (!makeRoom()) {
        socket.destroy();
        return;
      }
      underWay.set(socket, 0);
      idle.add(socket);
      socket.once('close', () => leave(socket));
    },
    began: (socket) => change(socket, 1),
    ended: (socket) => change(socket, -1),
  };
};
