/**
 * The resolver's TCP listener in one sandbox. Bounded: connections per sandbox (the one that was silent longest gives
 * way), questions under way per connection, bytes waiting, idle time, and work: all sandboxes share a part of every
 * turn of the event loop, those that want more rest between their parts, and in a sandbox all its connections share that
 * sandbox's (safety 9).
 */
import { createServer, type Server, type Socket } from 'node:net';
import * as ffi from '../kernel/ffi.js';
import { type Conversation, converse, type HandleTcp } from './conversation.js';
import { createTurns, rotate, type Worker } from './turns.js';

/** Milliseconds without a question or an answer, and none under way; miekg/dns, which dockerd uses, has 8 s. */
const TCP_IDLE = 8000;
const TCP_CONNECTIONS = 64;

/** Units of work (`conversation.ts`) in one turn of the event loop, of all sandboxes: some 1 ms. */
export const TURN = 64;
/** Units that one sandbox has before the next one's turn comes. */
const OF_A_SANDBOX = 16;
/** Units that one connection has before the next one's of the same sandbox comes. */
const OF_A_CONNECTION = 8;
/** Units in each millisecond for all sandboxes together that want more than a part: a quarter of the processor, 16,000 questions a second. */
const OF_ALL_THAT_FLOOD = 16;
const turns = createTurns({ units: TURN, part: OF_A_SANDBOX, rested: OF_ALL_THAT_FLOOD });

/** `include/uapi/asm-generic/socket.h` */
/** Bytes, which connections inherit: what a client can make the kernel and one read of ours hold. The kernel doubles it. */
const BUFFER = 16_384;

export interface TcpDoor {
  close(): void;
}

/** Takes over `fd`, a listening socket. */
export const openTcp = (fd: number, handle: HandleTcp, failed: (error: Error) => void): TcpDoor => {
  /** in the order of their last question or answer */
  const connections = new Set<Socket>();
  const waiting = new Set<Worker>();
  const sandbox: Worker = {
    waits: () => waiting.size > 0,
    work: (units) => rotate(waiting, units, OF_A_CONNECTION),
  };
  const wake = (conversation: Conversation): void => {
    waiting.add(conversation);
    turns.wake(sandbox);
  };
  const accept = (socket: Socket): void => {
    if (connections.size >= TCP_CONNECTIONS)
      for (const oldest of connections) {
        oldest.destroy();
        connections.delete(oldest);
        break;
      }
    connections.add(socket);
    const conversation = converse(socket, handle, wake, () => {
      idle.refresh();
      connections.delete(socket);
      connections.add(socket);
    });
    const idle = setTimeout(() => {
      if (conversation.underWay > 0) idle.refresh();
      else socket.destroy();
    }, TCP_IDLE);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      clearTimeout(idle);
      connections.delete(socket);
      waiting.delete(conversation);
    });
  };
  ffi.setsockoptInt(fd, ffi.SOL.SOCKET, ffi.SO.RCVBUF, BUFFER);
  ffi.setsockoptInt(fd, ffi.SOL.SOCKET, ffi.SO.SNDBUF, BUFFER);
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
