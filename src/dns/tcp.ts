/**
 * The resolver's TCP door in one sandbox: framed questions, answered as they come. Bounded: connections per sandbox
 * (the one that was silent longest gives way), questions under way per connection, bytes waiting, idle time.
 */
import { createServer, type Server, type Socket } from 'node:net';
import { frame } from './upstream.js';

/** Milliseconds without a whole question; miekg/dns, which dockerd uses, has 8 s. */
export const TCP_IDLE = 8000;
export const TCP_CONNECTIONS = 64;
/** A question under way holds memory and an upstream socket: the connection is read no further beyond this many. */
const PIPELINED = 32;
/** The longest question taken, bytes. */
const MAX_QUESTION = 4096;

/** Calls `reply` once per question, at once or later; undefined: no answer is due, the connection ends. */
export type HandleTcp = (message: Buffer, reply: (answer: Buffer | undefined) => void) => void;

const converse = (socket: Socket, handle: HandleTcp, touched: () => void): void => {
  let waiting: Buffer = Buffer.alloc(0);
  let underWay = 0;
  let ended = false;
  const reply = (answer: Buffer | undefined): void => {
    underWay -= 1;
    if (socket.destroyed) return;
    if (answer === undefined) socket.destroy();
    else socket.write(frame(answer));
    if (underWay < PIPELINED) setImmediate(advance);
    if (ended && underWay === 0 && waiting.length === 0) socket.end();
  };
  const advance = (): void => {
    while (!socket.destroyed && underWay < PIPELINED && waiting.length >= 2) {
      const length = waiting.readUInt16BE(0);
      if (length > MAX_QUESTION) return void socket.destroy();
      if (waiting.length < 2 + length) break;
      const message = waiting.subarray(2, 2 + length);
      waiting = waiting.subarray(2 + length);
      underWay += 1;
      touched();
      handle(message, reply);
    }
    const full = underWay >= PIPELINED || socket.writableNeedDrain;
    if (full) socket.pause();
    else if (socket.isPaused()) socket.resume();
  };
  socket.on('data', (chunk: Buffer) => {
    waiting = waiting.length === 0 ? chunk : Buffer.concat([waiting, chunk]);
    advance();
  });
  socket.on('drain', advance);
  socket.on('end', () => {
    ended = true;
    if (underWay === 0) socket.end();
  });
};

export interface TcpDoor {
  close(): void;
}

/** Takes over `fd`, a listening socket. */
export const openTcp = (fd: number, handle: HandleTcp, failed: (error: Error) => void): TcpDoor => {
  /** in the order of their last question */
  const connections = new Set<Socket>();
  const accept = (socket: Socket): void => {
    if (connections.size >= TCP_CONNECTIONS)
      for (const oldest of connections) {
        oldest.destroy();
        connections.delete(oldest);
        break;
      }
    connections.add(socket);
    let idle = setTimeout(() => socket.destroy(), TCP_IDLE);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      clearTimeout(idle);
      connections.delete(socket);
    });
    converse(socket, handle, () => {
      clearTimeout(idle);
      idle = setTimeout(() => socket.destroy(), TCP_IDLE);
      connections.delete(socket);
      connections.add(socket);
    });
  };
  const server: Server = createServer({ allowHalfOpen: true, noDelay: true }, accept);
  server.on('error', failed);
  server.listen({ fd, exclusive: true });
  return {
    close() {
      server.close();
      for (const socket of connections) socket.destroy();
    },
  };
};
