/** `struct sockaddr_in` (`include/uapi/linux/in.h`). */
import { AF } from '../../src/kernel/ffi.js';

export const inet = (address: string, port: number): Buffer => {
  const bytes = Buffer.alloc(16);
  bytes.writeUInt16LE(AF.INET, 0);
  bytes.writeUInt16BE(port, 2);
  bytes.set(address.split('.').map(Number), 4);
  return bytes;
};
