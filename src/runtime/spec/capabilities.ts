/** Which capabilities a container gets: Docker's default set, CapAdd, CapDrop and Privileged, within what the daemon has. */
import { invalid } from '../../errors.js';
import type { OciCapabilities } from './oci.js';

/** Bit order of `include/uapi/linux/capability.h`. */
export const CAPABILITIES =
  `CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE
NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT
SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG
WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE`
    .split(/\s+/)
    .map((name) => `CAP_${name}`);

const DEFAULT =
  `CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL
AUDIT_WRITE`
    .split(/\s+/)
    .map((name) => `CAP_${name}`);

/** Names of the bits of a `CapBnd` line in `/proc/self/status` (hexadecimal). */
export const capabilitiesOfMask = (hex: string): readonly string[] => {
  const mask = BigInt(`0x${hex.trim()}`);
  return CAPABILITIES.filter((_, bit) => (mask & (1n << BigInt(bit))) !== 0n);
};

/** `ALL`, or a known name with its prefix. Throws invalid for others, in Docker's words. */
const normalised = (name: string): string => {
  const upper = name.toUpperCase();
  if (upper === 'ALL' || upper === 'CAP_ALL') return 'ALL';
  const full = upper.startsWith('CAP_') ? upper : `CAP_${upper}`;
  if (!CAPABILITIES.includes(full)) throw invalid(`invalid capability: ${JSON.stringify(name)}`);
  return full;
};

/** The container's bounding set. `available`: what the daemon itself may hand on. */
export const containerCapabilities = (
  request: {
    readonly CapAdd?: readonly string[] | null;
    readonly CapDrop?: readonly string[] | null;
    readonly Privileged?: boolean;
  },
  available: readonly string[],
): readonly string[] => {
  const add = (request.CapAdd ?? []).map(normalised);
  const drop = (request.CapDrop ?? []).map(normalised);
  if (request.Privileged) return available;
  const base = add.includes('ALL') ? available : drop.includes('ALL') ? [] : DEFAULT;
  const named = add.includes('ALL') || !drop.includes('ALL') ? drop : [];
  const wanted = new Set([...base.filter((name) => !named.includes(name)), ...add]);
  return available.filter((name) => wanted.has(name));
};

/** A user other than root keeps the bounding set only: nothing is effective before a set-uid or file capability. */
export const processCapabilities = (bounding: readonly string[], uid: number): OciCapabilities => {
  const held = uid === 0 ? bounding : [];
  return { bounding, effective: held, permitted: held, inheritable: [], ambient: [] };
};
