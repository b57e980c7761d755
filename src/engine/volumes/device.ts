/** The local driver's `type`, `device` and `o`: a file system mounted on the volume's directory while it is used. */
import { isIP } from 'node:net';
import { messageOf, refused, type ViaductError } from '../../errors.js';
import * as ffi from '../../kernel/ffi.js';
import { isMounted } from '../../kernel/mount-table.js';

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

/** Answers a host's address. `signal`: nobody waits for it any more. */
export type FindAddress = (host: string, signal?: AbortSignal) => Promise<string>;

export const isDevice = ({ type }: DeviceOptions): boolean => type !== undefined;
export const isRemote = ({ type = '' }: DeviceOptions): boolean => type === 'cifs' || type.startsWith('nfs');

export const mountFailure = (
  { device = '', o = '' }: DeviceOptions,
  directory: string,
  cause: unknown,
): ViaductError => {
  const shown = o.replace(/password=[^,]*/g, 'password=********');
  return refused(
    `failed to mount local volume: mount ${device}:${directory}, data: ${shown}: ${messageOf(cause)}`,
    cause,
  );
};

/** Mounts and unmounts what has to ask a server, while the daemon goes on (`kernel/remote-mount.ts`). */
export interface RemoteMounts {
  mount(
    directory: string,
    device: { readonly type: string; readonly device: string; readonly options: string },
    signal?: AbortSignal,
  ): Promise<void>;
  unmount(directory: string): Promise<void>;
}

/** The kernel's NFS and CIFS take addresses, people write names. Before anything is mounted. */
export const withAddress = async (
  directory: string,
  options: DeviceOptions,
  find: FindAddress,
  signal?: AbortSignal,
): Promise<DeviceOptions> => {
  const words = (options.o ?? '').split(',').map(async (word) => {
    const host = word.startsWith('addr=') ? word.slice('addr='.length) : '';
    return host !== '' && isIP(host) === 0 ? `addr=${await find(host, signal)}` : word;
  });
  try {
    return { ...options, o: (await Promise.all(words)).join(',') };
  } catch (cause) {
    throw mountFailure(options, directory, cause);
  }
};

export const mountRemote = async (
  remote: RemoteMounts,
  directory: string,
  options: DeviceOptions,
  signal?: AbortSignal,
): Promise<void> => {
  const { type = '', device = '', o = '' } = options;
  try {
    await remote.mount(directory, { type, device, options: o }, signal);
  } catch (cause) {
    throw mountFailure(options, directory, cause);
  }
};

/** Only where no server has to answer: it takes one of the file system's threads. */
export const mountDevice = async (directory: string, options: DeviceOptions): Promise<void> => {
  const { type = '', device = '', o = '' } = options;
  try {
    const { flags, data } = parseMountOptions(o);
    await ffi.mountLater(device, directory, type, flags, data);
    // The kernel ignores every other flag of a bind mount until it is remounted.
    const rest = flags & ~(ffi.MS.BIND | ffi.MS.REC);
    if (flags & ffi.MS.BIND && rest !== 0) {
      await ffi.mountLater('', directory, '', ffi.MS.BIND | ffi.MS.REMOUNT | rest, '');
    }
  } catch (cause) {
    if (isMounted(directory)) await ffi.umountAlone(directory);
    throw mountFailure(options, directory, cause);
  }
};
