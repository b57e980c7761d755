/** The kernel's `sockaddr_in` and `sockaddr_in6` (`include/uapi/linux/in.h`, `in6.h`): addresses with ports, as bytes. */
import { addressBytes, addressText } from '../model/address-bytes.js';
import { AF } from './ffi.js';

/** `sockaddr_in` (16 bytes) or `sockaddr_in6` (28 bytes); `scope` is an interface index for link-local addresses. */
export const sockaddr = (address: string, port: number, scope = 0): Buffer => {
  const bytes = addressBytes(address);
  if (bytes === undefined) throw new TypeError(`not an IP address: ${address.slice(0, 64)}`);
  const out = Buffer.alloc(bytes.length === 4 ? 16 : 28);
  out.writeUInt16LE(bytes.length === 4 ? AF.INET : AF.INET6, 0);
  out.writeUInt16BE(port, 2);
  out.set(bytes, bytes.length === 4 ? 4 : 8);
  if (bytes.length === 16) out.writeUInt32LE(scope, 24);
  return out;
};

export interface SocketAddress {
  readonly address: string;
  readonly port: number;
}

/** What the kernel wrote; undefined for families other than IPv4 and IPv6. */
export const parseSockaddr = (raw: Buffer): SocketAddress | undefined => {
  if (raw.length < 16) return undefined;
  const family = raw.readUInt16LE(0);
  const port = raw.readUInt16BE(2);
  if (family === AF.INET) return { address: addressText(raw.subarray(4, 8)), port };
  if (family === AF.INET6 && raw.length >= 24) return { address: addressText(raw.subarray(8, 24)), port };
  return undefined;
};
