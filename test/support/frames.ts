/** Raw Ethernet frames: built, sent and watched for. What a container with NET_RAW can do, tests must do too. */

import * as ffi from '../../src/kernel/ffi.js';
import { inNamespace } from '../../src/kernel/netns.js';
import { addressBytes } from '../../src/model/address-bytes.js';

const AF_PACKET = 17;
/** ETH_P_ALL in network order. */
const ETH_P_ALL = 0x0300;

const u16 = (value: number): Buffer => Buffer.from([value >> 8, value & 0xff]);
const mac = (text: string): Buffer => Buffer.from(text.replaceAll(':', ''), 'hex');
const address = (text: string): Buffer => {
  const bytes = addressBytes(text);
  if (!bytes) throw new Error(`not an address: ${text}`);
  return Buffer.from(bytes);
};

/** Internet checksum (RFC 1071). */
const checksum = (bytes: Buffer): number => {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += ((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return ~sum & 0xffff;
};

/** A router advertisement (RFC 4861, 4.2) for 2001:db8:bad::/64; the kernel fills in the checksum. In `printf`’s octal. */
export const ADVERTISEMENT = [
  '86000000 40000708 00000000 00000000',
  '0304 40c0 00015180 00003840 00000000 20010db80bad0000 0000000000000000',
]
  .join('')
  .replace(/ /g, '')
  .replace(/../g, (byte) => `\\${Number.parseInt(byte, 16).toString(8).padStart(3, '0')}`);

export interface Ends {
  readonly fromMac: string;
  readonly toMac: string;
  readonly from: string;
  readonly to: string;
}

const ethernet = (toMac: string, fromMac: string, type: number, payload: Buffer): Buffer =>
  Buffer.concat([mac(toMac), mac(fromMac), u16(type), payload]);
/** Puts a tag of `type` (0x8100, 0x88a8) and VLAN `vlan` into a frame. */
export const tagged = (frame: Buffer, type: number, vlan: number): Buffer =>
  Buffer.concat([frame.subarray(0, 12), u16(type), u16(vlan), frame.subarray(12)]);

export const arp = (operation: 1 | 2, ends: Ends & { readonly claims?: string }): Buffer =>
  ethernet(
    ends.toMac,
    ends.fromMac,
    0x0806,
    Buffer.concat([
      Buffer.from([0, 1, 8, 0, 6, 4, 0, operation]),
      mac(ends.claims ?? ends.fromMac),
      address(ends.from),
      mac('00:00:00:00:00:00'),
      address(ends.to),
    ]),
  );

const ipv4 = ({ fromMac, toMac, from, to }: Ends, protocol: number, payload: Buffer): Buffer => {
  const header = Buffer.concat([
    Buffer.from([0x45, 0]),
    u16(20 + payload.length),
    Buffer.from([0, 1, 0, 0, 64, protocol, 0, 0]),
    address(from),
    address(to),
  ]);
  header.writeUInt16BE(checksum(header), 10);
  return ethernet(toMac, fromMac, 0x0800, Buffer.concat([header, payload]));
};

const ipv6 = ({ fromMac, toMac, from, to }: Ends, next: number, payload: Buffer, hops = 64): Buffer =>
  ethernet(
    toMac,
    fromMac,
    0x86dd,
    Buffer.concat([
      Buffer.from([0x60, 0, 0, 0]),
      u16(payload.length),
      Buffer.from([next, hops]),
      address(from),
      address(to),
      payload,
    ]),
  );

/** Over the pseudo-header too; `addresses`: source and destination. */
const transportChecksum = (addresses: Buffer, protocol: number, payload: Buffer): number => {
  const rest = Buffer.concat([u16(payload.length), Buffer.from([0, protocol])]);
  const padding = Buffer.alloc(payload.length % 2);
  return checksum(Buffer.concat([addresses, rest, payload, padding]));
};

/** `payload` with its checksum `at` that place. */
const summed = ({ from, to }: Ends, protocol: number, payload: Buffer, at: number): Buffer => {
  const out = Buffer.from(payload);
  out.writeUInt16BE(transportChecksum(Buffer.concat([address(from), address(to)]), protocol, payload), at);
  return out;
};

/** A datagram from port 1000; `text` of even length. */
export const datagram = (ends: Ends, port: number, text: string): Buffer => {
  const body = Buffer.from(text);
  const udp = Buffer.concat([u16(1000), u16(port), u16(8 + body.length), u16(0), body]);
  return ends.from.includes(':') ? ipv6(ends, 17, summed(ends, 17, udp, 6)) : ipv4(ends, 17, udp);
};

/** A TCP segment without options; `flags` as in the header's byte. */
export const segment = (
  ends: Ends,
  ports: { readonly from: number; readonly to: number },
  flags: number,
  text = '',
): Buffer => {
  const head = Buffer.concat([
    u16(ports.from),
    u16(ports.to),
    Buffer.alloc(8),
    Buffer.from([0x50, flags]),
    u16(64),
  ]);
  const tcp = Buffer.concat([head, Buffer.alloc(4), Buffer.from(text)]);
  tcp.writeUInt32BE(1000, 4);
  tcp.writeUInt32BE(2000, 8);
  return ends.from.includes(':')
    ? ipv6(ends, 6, summed(ends, 6, tcp, 16))
    : ipv4(ends, 6, summed(ends, 6, tcp, 16));
};

/** A TCP segment as it was seen, `by` bytes further in its own stream and `heard` in the other's; with its checksum. */
export const resequenced = (frame: Buffer, by: number, heard = 0): Buffer => {
  const v6 = frame.readUInt16BE(12) === 0x86dd;
  const at = v6 ? 14 + 40 : 14 + 20;
  const end = v6 ? at + frame.readUInt16BE(18) : 14 + frame.readUInt16BE(16);
  const out = Buffer.from(frame.subarray(0, end));
  const tcp = out.subarray(at);
  tcp.writeUInt32BE((tcp.readUInt32BE(4) + by) >>> 0, 4);
  tcp.writeUInt32BE((tcp.readUInt32BE(8) + heard) >>> 0, 8);
  tcp.writeUInt16BE(0, 16);
  const addresses = v6 ? out.subarray(22, 54) : out.subarray(26, 34);
  tcp.writeUInt16BE(transportChecksum(addresses, 6, tcp), 16);
  return out;
};

/** An ICMPv6 message of neighbour discovery: type, flags and reserved, then `body`. */
export const icmpv6 = (ends: Ends, type: number, flags: number, body: Buffer): Buffer => {
  const head = Buffer.from([type, 0, 0, 0, 0, 0, 0, 0]);
  head.writeUInt32BE(flags >>> 0, 4);
  return ipv6(ends, 58, summed(ends, 58, Buffer.concat([head, body]), 2), 255);
};
/** Solicitation (135) or advertisement (136, override) about `target`. */
export const neighbour = (type: 135 | 136, ends: Ends, target: string): Buffer =>
  icmpv6(
    ends,
    type,
    type === 136 ? 0x20000000 : 0,
    Buffer.concat([address(target), ...(type === 136 ? [Buffer.from([2, 1]), mac(ends.fromMac)] : [])]),
  );

export const sendFrame = (ns: string, ifname: string, frame: Buffer): void => {
  inNamespace(ns, () => {
    const fd = ffi.socket(AF_PACKET, ffi.SOCK.RAW);
    const to = Buffer.alloc(20);
    to.writeUInt16LE(AF_PACKET, 0);
    to.writeInt32LE(ffi.ifNameToIndex(ifname), 4);
    try {
      ffi.send(fd, frame, 0, to);
    } finally {
      ffi.close(fd);
    }
  });
};

/** Everything that arrives in the namespace from now on. */
export class Watch {
  private readonly fd: number;
  constructor(ns: string) {
    this.fd = inNamespace(ns, () => ffi.socket(AF_PACKET, ffi.SOCK.RAW | ffi.SOCK.NONBLOCK, ETH_P_ALL));
  }
  /** The frames up to one that has these bytes; throws where it does not come within two seconds. */
  until(bytes: Buffer): Buffer[] {
    const found: Buffer[] = [];
    const into = Buffer.alloc(4096);
    for (const end = performance.now() + 2000; performance.now() < end; pause(1))
      for (let n = ffi.recv(this.fd, into); n >= 0; n = ffi.recv(this.fd, into)) {
        found.push(Buffer.from(into.subarray(0, n)));
        if (found.at(-1)?.includes(bytes)) return found;
      }
    throw new Error(`no frame with ${bytes}`);
  }
  close(): void {
    ffi.close(this.fd);
  }
}

const sleeper = new Int32Array(new SharedArrayBuffer(4));
const pause = (ms: number) => Atomics.wait(sleeper, 0, 0, ms);
