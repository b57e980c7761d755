/**
 * The resolver's UDP socket in one sandbox. A flood is answered as long as the turn of the event loop lasts no more
 * than a few milliseconds, then dropped: other sandboxes and the API get their turn.
 */
import { createSocket } from 'node:dgram';
import * as ffi from '../kernel/ffi.js';
import { type Handle, sendTo, serve } from './batch.js';

/** Datagrams answered for all sandboxes in one turn of the event loop; at 5 µs each 10 ms. */
const TURN = 2048;
/** Datagrams that each sandbox may have answered in a turn in any case. */
const RESERVE = 32;

/** `include/uapi/asm-generic/socket.h` */
/** Bytes; some hundred questions at once (a short one counts for 768 bytes), more than the default 208 KiB hold. */
const RECEIVE_BUFFER = 1 << 20;

let answered = 0;
let turn = 0;
const newTurn = (): void => {
  answered = 0;
  turn += 1;
};

export interface UdpDoor {
  send(message: Buffer, to: Buffer): void;
  close(): void;
}

/** Takes over `fd`, a bound socket. `failed` is called when the socket is beyond use. */
export const openUdp = (fd: number, handle: Handle, failed: (error: Error) => void): UdpDoor => {
  let ownTurn = -1;
  let own = 0;
  let open = true;
  const counted: Handle = (message, length, from, out) => {
    if (answered === 0) setImmediate(newTurn);
    answered += 1;
    if (ownTurn !== turn) {
      ownTurn = turn;
      own = 0;
    }
    own += 1;
    return answered > TURN && own > RESERVE ? 0 : handle(message, length, from, out);
  };
  const socket = createSocket('udp4');
  socket.on('message', (datagram, sender) => {
    if (open) serve(fd, datagram, sender, counted);
  });
  socket.on('error', failed);
  socket.bind({ fd, exclusive: true });
  // libuv sets SO_REUSEADDR on every descriptor it is given, with which the container could bind the port too
  ffi.setsockoptInt(fd, ffi.SOL.SOCKET, ffi.SO.REUSEADDR, 0);
  ffi.setsockoptInt(fd, ffi.SOL.SOCKET, ffi.SO.RCVBUFFORCE, RECEIVE_BUFFER);
  return {
    send(message, to) {
      if (open) sendTo(fd, message, to);
    },
    close() {
      open = false;
      socket.close();
    },
  };
};
