/** `struct sockaddr_in` (`include/uapi/linux/in.h`), and the one option that small messages need. */
import { AF, setsockoptInt } from '../../src/kernel/ffi.js';

export const inet = (address: string, port: number): Buffer => {
  const bytes = Buffer.alloc(16);
  bytes.writeUInt16LE(AF.INET, 0);
  bytes.writeUInt16BE(port, 2);
  bytes.set(address.split('.').map(Number), 4);
  return bytes;
};

const IPPROTO_TCP = 6;
const TCP_NODELAY = 1; // include/uapi/linux/tcp.h

export const noDelay = (fd: number): void => setsockoptInt(fd, IPPROTO_TCP, TCP_NODELAY, 1);
