/**
 * Offloads of an interface by the ethtool ioctl. Open vSwitch's userspace datapath receives frames as they are handed over
 * inside the kernel, with checksums that somebody else was to fill in and segments beyond the MTU: containers' own
 * interfaces must finish their packets themselves.
 */

import { asKernelError } from '../errno.js';
import type { OffloadObject } from '../plan/objects.js';
import * as ffi from './ffi.js';
import { closing } from './file-calls.js';
import { inNamespace } from './netns.js';

/** `include/uapi/linux/sockios.h`, `ethtool.h` */
const SIOCETHTOOL = 0x8946;
const COMMAND = { GET: 0x16, SET: 0x17 } as const; // ETHTOOL_GTXCSUM, ETHTOOL_STXCSUM
const IFNAMSIZ = 16;

/** `struct ethtool_value` reached by `struct ifreq`; without checksums the kernel switches segmentation off itself. */
const ask = ({ ns, link }: OffloadObject, command: number, value: number): number => {
  const data = Buffer.alloc(128); // V8 moves small buffers
  data.writeUInt32LE(command, 0);
  data.writeUInt32LE(value, 4);
  const ifreq = Buffer.alloc(128);
  ifreq.write(link.slice(0, IFNAMSIZ - 1), 0);
  ifreq.writeBigUInt64LE(ffi.addressOf(data), IFNAMSIZ);
  inNamespace(ns, () =>
    closing(ffi.socket(ffi.AF.INET, ffi.SOCK.DGRAM), (fd) => ffi.ioctl(fd, SIOCETHTOOL, ifreq)),
  );
  return data.readUInt32LE(4);
};

export const setOffload = (o: OffloadObject): void =>
  void asKernelError(`offload set ${o.link}`, () => ask(o, COMMAND.SET, o.transmit ? 1 : 0));

/** False where the interface is gone too. */
export const hasOffload = (o: OffloadObject): boolean => {
  try {
    return (ask(o, COMMAND.GET, 0) !== 0) === o.transmit;
  } catch (error) {
    if (error instanceof ffi.SystemError) return false;
    throw error;
  }
};
