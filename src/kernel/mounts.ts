/**
 * Mounts: bind, overlay, unmount (0.1–0.2 ms each). Throws SystemError of the refused call. Targets must exist.
 */
import { EINVAL, ENOENT } from '../errno.js';
import * as ffi from './ffi.js';

export interface BindOptions {
  readonly readOnly?: boolean;
  /** with the mounts below the source */
  readonly recursive?: boolean;
  /** default: as the target's parent has it */
  readonly propagation?: 'private' | 'slave' | 'shared' | 'unbindable';
}

const PROPAGATION = {
  private: ffi.MS.PRIVATE,
  slave: ffi.MS.SLAVE,
  shared: ffi.MS.SHARED,
  unbindable: ffi.MS.UNBINDABLE,
} as const;

export const bindMount = (source: string, target: string, options: BindOptions = {}): void => {
  const recursive = options.recursive ? ffi.MS.REC : 0;
  ffi.mount(source, target, 'bind', ffi.MS.BIND | recursive, '');
  try {
    // A bind mount takes no options when it is made: the kernel wants a remount for them.
    if (options.readOnly) ffi.mount('', target, '', ffi.MS.BIND | ffi.MS.REMOUNT | ffi.MS.RDONLY, '');
    if (options.propagation) ffi.mount('', target, '', PROPAGATION[options.propagation] | recursive, '');
  } catch (error) {
    unmount(target);
    throw error;
  }
};

export interface Overlay {
  /** directories, uppermost first */
  readonly lower: readonly string[];
  /** absent: read-only */
  readonly upper?: { readonly directory: string; readonly work: string };
}

/** mount(2) takes one page of options. */
const OPTIONS_LIMIT = 4095;
/** overlayfs separates lower directories by `:` and options by `,`; a backslash takes their meaning away. */
const escaped = (path: string): string => path.replace(/[\\:,]/g, '\\$&');

const overlayOptions = ({ lower, upper }: Overlay): string => {
  const options = [`lowerdir=${lower.map(escaped).join(':')}`];
  if (upper) options.push(`upperdir=${escaped(upper.directory)}`, `workdir=${escaped(upper.work)}`);
  return options.join(',');
};

/** The longest directory that all paths are in, with its closing slash. */
const commonDirectory = (paths: readonly string[]): string => {
  const [first = '', ...others] = paths;
  let end = first.lastIndexOf('/') + 1;
  while (end > 0 && !others.every((p) => p.startsWith(first.slice(0, end))))
    end = first.lastIndexOf('/', end - 2) + 1;
  return first.slice(0, end);
};

/**
 * Mounts an overlay at the absolute path `target`. Many layers do not fit the page of options as absolute paths: then
 * the lower directories are named from where they all are (we go there for the one call).
 */
export const overlayMount = (overlay: Overlay, target: string): void => {
  const options = overlayOptions(overlay);
  const base = commonDirectory(overlay.lower);
  if (Buffer.byteLength(options) <= OPTIONS_LIMIT || base === '') {
    ffi.mount('overlay', target, 'overlay', 0, options);
    return;
  }
  const back = process.cwd();
  process.chdir(base);
  try {
    const lower = overlay.lower.map((path) => path.slice(base.length));
    ffi.mount('overlay', target, 'overlay', 0, overlayOptions({ ...overlay, lower }));
  } finally {
    process.chdir(back);
  }
};

export interface TmpfsOptions {
  /** `size=64m,mode=1777` */
  readonly data: string;
  readonly flags?: number;
}
export const tmpfsMount = (target: string, { data, flags = 0 }: TmpfsOptions): void =>
  ffi.mount('tmpfs', target, 'tmpfs', flags, data);

/** Detaches what is mounted at `target`, with what is below; nothing there is success. */
export const unmount = (target: string): void => {
  try {
    ffi.umount(target, ffi.MNT_DETACH);
  } catch (error) {
    if (!(error instanceof ffi.SystemError && (error.errno === EINVAL || error.errno === ENOENT)))
      throw error;
  }
};
