/**
 * Paths in a container, followed here and not by the kernel: one component after the other, each opened in the directory
 * before it without following a link; a link's text is read and followed in the container's root; `..` goes back to a
 * directory that is still open. So whatever a container exchanges meanwhile, and whatever its links say, nothing outside
 * its root and its mounts is reached, and a mount is there whether it is mounted or not.
 *
 * Paths in this room are byte strings (see kernel/file-calls.ts); `fromText` makes one of what a user wrote.
 */

import { close, closeSync, constants as fs, fstatSync } from 'node:fs';
import { EEXIST, ELOOP, ENOTDIR, EROFS, ifThere } from '../errno.js';
import * as ffi from '../kernel/ffi.js';
import * as call from '../kernel/file-calls.js';
import { closing } from '../kernel/file-calls.js';
import type { FileMount, FileView } from './contract.js';

export const fromText = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');
export const toText = (bytes: string): string => Buffer.from(bytes, 'latin1').toString('utf8');

/** The view with its root open. */
export interface OpenView {
  readonly root: number;
  readonly readOnly: boolean;
  readonly mounts: ReadonlyMap<string, FileMount>;
  /** last components of the mounts in a directory */
  readonly mountsIn: ReadonlyMap<string, readonly string[]>;
}

/** An open handle (O_PATH) of what a path leads to. */
export interface Spot {
  readonly fd: number;
  /** as an absolute path in the container without links; empty for the root */
  readonly path: string;
  /** on which it lies; undefined: on the root */
  readonly mount?: FileMount;
}

const parentOf = (path: string): string => path.slice(0, path.lastIndexOf('/'));
const nameOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1);

export const openView = (view: FileView): OpenView => {
  const mounts = new Map(view.mounts.map((mount) => [fromText(mount.destination), mount]));
  const mountsIn = new Map<string, string[]>();
  for (const path of mounts.keys())
    mountsIn.set(parentOf(path), [...(mountsIn.get(parentOf(path)) ?? []), nameOf(path)]);
  return {
    root: ffi.open(view.root, ffi.O.PATH | fs.O_DIRECTORY),
    readOnly: view.readOnly,
    mounts,
    mountsIn,
  };
};

/** A view of a directory alone, from a descriptor that stays the caller's. */
export const viewOf = (root: number): OpenView => ({
  root,
  readOnly: false,
  mounts: new Map(),
  mountsIn: new Map(),
});

/** A directory of the host as a root of its own, with nothing mounted in it. */
export const plainView = (root: string): FileView => ({ name: '', root, readOnly: false, mounts: [] });

const closeLater = (fd: number): void => close(fd, () => {});

/**
 * The last that is closed of a view which others may have removed meanwhile: then it was all that kept a file system mounted, whose
 * end takes the disk's time, and that is waited for in a thread.
 */
export const closeView = ({ root }: OpenView): void => closeLater(root);

/** Opens the view for `work`, and closes it when that is done. */
export const withView = <T>(view: FileView, work: (open: OpenView) => T): T => {
  const open = openView(view);
  return closing(open.root, () => work(open), closeLater);
};

const isReadOnly = (view: OpenView, mount: FileMount | undefined): boolean =>
  mount ? mount.readOnly : view.readOnly;

/** The source of a mount. A subpath is followed in the volume as in a root of its own. */
const openSource = (mount: FileMount): number => {
  const { source, subpath } = mount;
  const opened = ffi.open(source, ffi.O.PATH);
  return subpath ? closing(opened, (fd) => resolve(viewOf(fd), fromText(subpath)).fd) : opened;
};

/** What `name` is in the directory, not followed: a mount where one belongs, else what the disk has. */
export const openChild = (view: OpenView, parent: Spot, name: string): Spot => {
  const path = `${parent.path}/${name}`;
  const mount = view.mounts.get(path);
  if (mount) return { fd: openSource(mount), path, mount };
  const fd = call.openHandle(parent.fd, name);
  return { fd, path, ...(parent.mount ? { mount: parent.mount } : {}) };
};

const components = (path: string): readonly string[] =>
  path.split('/').filter((part) => part !== '' && part !== '.');

const MOST_LINKS = 40; // MAXSYMLINKS, include/linux/namei.h

/** EROFS of a view, where a mount or the root is not to be written: in no kernel's words. */
export const refuseReadOnly = (view: OpenView, { mount }: Spot): void => {
  if (isReadOnly(view, mount)) throw new ffi.SystemError('write', EROFS, toText(mount?.destination ?? '/'));
};

interface Following {
  /** false: a link at the end is answered itself */
  readonly follow?: boolean;
  /** directories that are missing are made, root's, mode 0755 */
  readonly make?: boolean;
}

const openOrMake = (view: OpenView, parent: Spot, name: string, make: boolean): Spot => {
  const found = make ? ifThere(() => openChild(view, parent, name)) : openChild(view, parent, name);
  if (found) return found;
  refuseReadOnly(view, parent);
  ifThere(() => call.makeDirectory(parent.fd, name, 0o755), EEXIST);
  return openChild(view, parent, name);
};

/** A path on its way: the directories from the root to here, all open. */
interface Way {
  readonly spots: Spot[];
  readonly left: string[];
  links: number;
}

const back = (way: Way, to: number): void => {
  for (const { fd } of way.spots.splice(to)) closeSync(fd);
};

/** `link` is the handle of a symbolic link: what it says is put in front of what is left. */
const followLink = (way: Way, link: Spot): void => {
  const target = closing(link.fd, call.linkTarget);
  way.links += 1;
  if (way.links > MOST_LINKS) throw new ffi.SystemError('resolve', ELOOP, toText(link.path));
  if (target.startsWith('/')) back(way, 0);
  way.left.push(...components(target).toReversed());
};

const step = (view: OpenView, way: Way, name: string, options: Following): void => {
  const here = way.spots.at(-1) ?? { fd: view.root, path: '' };
  if (name === '..') {
    back(way, Math.max(0, way.spots.length - 1));
    return;
  }
  const found = openOrMake(view, here, name, options.make === true);
  const stat = fstatSync(found.fd);
  const isLast = way.left.length === 0;
  if (stat.isSymbolicLink() && (!isLast || options.follow !== false)) {
    followLink(way, found);
    return;
  }
  way.spots.push(found);
  if (!isLast && !stat.isDirectory()) throw new ffi.SystemError('resolve', ENOTDIR, toText(found.path));
};

/** The caller closes the answer's descriptor. Throws SystemError: ENOENT, ENOTDIR, ELOOP… */
export const resolve = (view: OpenView, path: string, options: Following = {}): Spot => {
  const way: Way = { spots: [], left: [...components(path).toReversed()], links: 0 };
  try {
    for (let name = way.left.pop(); name !== undefined; name = way.left.pop()) step(view, way, name, options);
    return way.spots.pop() ?? { fd: ffi.dup(view.root), path: '' };
  } finally {
    back(way, 0);
  }
};

/** As `resolve`, of a directory. */
export const resolveDirectory = (view: OpenView, path: string, options: Following = {}): Spot => {
  const spot = resolve(view, path, options);
  if (fstatSync(spot.fd).isDirectory()) return spot;
  closeSync(spot.fd);
  throw new ffi.SystemError('resolve', ENOTDIR, toText(path));
};

/** As `resolve` for `work`, and closed when that is done. */
export const withSpot = <T>(
  view: OpenView,
  path: string,
  work: (spot: Spot) => T,
  options: Following = {},
): T => {
  const spot = resolve(view, path, options);
  return closing(spot.fd, () => work(spot));
};

/** As `withSpot`, of a directory. */
export const withDirectory: typeof withSpot = (view, path, work, options) => {
  const spot = resolveDirectory(view, path, options);
  return closing(spot.fd, () => work(spot));
};
