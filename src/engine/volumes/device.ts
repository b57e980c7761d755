/** The local driver's `type`, `device` and `o`: a file system mounted on the volume's directory while it is used. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { refused } from '../../errors.js';
import * as ffi from '../../kernel/ffi.js';

export type DeviceOptions = Readonly<Record<string, string>>;

const KNOWN = new Set(['type', 'o', 'device', 'size']);
const NEEDS: Readonly<Record<string, readonly string[]>> = {
  device: ['type'],
  type: ['device'],
  o: ['device', 'type'],
};

/** What is wrong with the options, in Docker's words; undefined: nothing. */
export const checkMountOptions = (options: DeviceOptions): string | undefined => {
  for (const name of Object.keys(options)) {
    if (!KNOWN.has(name)) return `invalid option: ${JSON.stringify(name)}`;
    const missing = NEEDS[name]?.find((other) => options[other] === undefined);
    if (missing !== undefined) return `missing required option: ${JSON.stringify(missing)}`;
  }
  if (options.size !== undefined) return 'quota size requested but no quota support';
  if (Object.values(options).some((value) => value.includes('\0'))) return 'invalid option: NUL in value';
  return undefined;
};

/** Options that mount(2) takes as flags (include/uapi/linux/mount.h): bits to set, or to clear where negative. */
const FLAGS: ReadonlyMap<string, { readonly set?: number; readonly clear?: number }> = new Map([
  ['defaults', {}],
  ['rw', { clear: 1 }],
  ['ro', { set: 1 }],
  ['suid', { clear: 2 }],
  ['nosuid', { set: 2 }],
  ['dev', { clear: 4 }],
  ['nodev', { set: 4 }],
  ['exec', { clear: 8 }],
  ['noexec', { set: 8 }],
  ['async', { clear: 16 }],
  ['sync', { set: 16 }],
  ['mand', { set: 64 }],
  ['nomand', { clear: 64 }],
  ['dirsync', { set: 128 }],
  ['atime', { clear: 1 << 10 }],
  ['noatime', { set: 1 << 10 }],
  ['diratime', { clear: 1 << 11 }],
  ['nodiratime', { set: 1 << 11 }],
  ['bind', { set: ffi.MS.BIND }],
  ['rbind', { set: ffi.MS.BIND | ffi.MS.REC }],
  ['relatime', { set: 1 << 21 }],
  ['norelatime', { clear: 1 << 21 }],
  ['strictatime', { set: 1 << 24 }],
  ['nostrictatime', { clear: 1 << 24 }],
]);

/** `ro,nosuid,size=1m` → flags and the rest, which the file system reads. */
const parseMountOptions = (text: string): { readonly flags: number; readonly data: string } => {
  let flags = 0;
  const data: string[] = [];
  for (const word of text.split(',').filter((each) => each !== '')) {
    const flag = FLAGS.get(word);
    if (flag) flags = (flags | (flag.set ?? 0)) & ~(flag.clear ?? 0);
    else data.push(word);
  }
  return { flags, data: data.join(',') };
};

/** Milliseconds; the whole daemon waits meanwhile. Two askings of a resolver's default five seconds would be ten. */
const RESOLVING = 5_000;

/** The kernel's NFS and CIFS take addresses, people write names. */
const resolved = (host: string): string => {
  const answer = execFileSync('getent', ['ahosts', host], { encoding: 'utf8', timeout: RESOLVING });
  const address = /^\S+/.exec(answer)?.[0] ?? '';
  if (isIP(address) === 0) throw new Error(`no address for ${host}`);
  return address;
};

const withAddress = (data: string): string =>
  data
    .split(',')
    .map((word) => {
      const host = word.startsWith('addr=') ? word.slice('addr='.length) : '';
      return host !== '' && isIP(host) === 0 ? `addr=${resolved(host)}` : word;
    })
    .join(',');

export const mountDevice = (directory: string, options: DeviceOptions): void => {
  const { type = '', device = '', o = '' } = options;
  try {
    const { flags, data } = parseMountOptions(o);
    const remote = type === 'cifs' || type.startsWith('nfs');
    ffi.mount(device, directory, type, flags, remote ? withAddress(data) : data);
    // The kernel ignores every other flag of a bind mount until it is remounted.
    const rest = flags & ~(ffi.MS.BIND | ffi.MS.REC);
    if (flags & ffi.MS.BIND && rest !== 0) {
      ffi.mount('', directory, '', ffi.MS.BIND | ffi.MS.REMOUNT | rest, '');
    }
  } catch (cause) {
    if (isMounted(directory)) unmountDevice(directory);
    const shown = o.replace(/password=[^,]*/g, 'password=********');
    throw refused(
      `failed to mount local volume: mount ${device}:${directory}, data: ${shown}: ${cause instanceof Error ? cause.message : String(cause)}`,
      cause,
    );
  }
};

export const unmountDevice = (directory: string): void => ffi.umount(directory);

/** Mount points of our mount namespace; the kernel writes blanks and backslashes as octal (`\040`). */
const mountPoints = (): readonly string[] =>
  readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .flatMap((line) => line.split(' ')[4] ?? [])
    .map((path) =>
      path.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))),
    );

export const isMounted = (directory: string): boolean => mountPoints().includes(directory);

/** Mount points at a directory or anywhere below it. */
export const mountsBelow = (directory: string): readonly string[] =>
  mountPoints().filter((path) => path === directory || path.startsWith(`${directory}/`));
