/**
 * A container's root: the image's layers below, a writable layer of its own above, joined by one overlay mount(2).
 * Invariants: a container's directory is named by its id and holds nothing of another's; mounting a mounted root changes
 * nothing, so a restarted daemon may ask again.
 */

import { chmodSync, existsSync, mkdirSync, readFileSync, rmdirSync, statSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { internal, invalid, KernelError } from '../errors.js';
import * as ffi from '../kernel/ffi.js';
import type { Trash } from '../kernel/trash.js';
import type { Storage } from './storage.js';

/** Where a container's layer is. */
export interface Writable {
  readonly directory: string;
  readonly upper: string;
  readonly work: string;
  /** the mount point: the container's root */
  readonly root: string;
  /** file with the id of the image below */
  readonly image: string;
}

const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]*$/;

export const writableOf = (storage: Storage, containerId: string): Writable => {
  if (!NAME.test(containerId)) throw invalid(`invalid container id (${containerId})`);
  const directory = join(storage.writable, containerId);
  const at = (name: string) => join(directory, name);
  return {
    directory,
    upper: at('upper'),
    work: at('work'),
    root: join(storage.roots, containerId),
    image: at('image'),
  };
};

/** What a root is mounted from: layers of the storage, and above them those of a build that is under way. */
export interface Base {
  readonly image: { readonly id: string };
  /** ids, base first */
  readonly layers: readonly string[];
  /** directories of layers that the storage does not have yet, base first */
  readonly fresh?: readonly string[];
}

/** The layers' short links (26 letters each), topmost first, as overlayfs wants them. */
const links = (storage: Storage, entry: Base): readonly string[] =>
  entry.layers.map((id) => readFileSync(join(storage.graph, 'overlay', id, 'link'), 'utf8').trim()).reverse();

/** Directories of the layers' contents, topmost first. */
export const layerDirectories = (storage: Storage, entry: Base): readonly string[] =>
  [...entry.layers.map((id) => join(storage.graph, 'overlay', id, 'diff')), ...(entry.fresh ?? [])].reverse();

/** mount(2) copies its options into one page, so this many bytes and a zero (`PAGE_SIZE`, mm). */
const MAX_OPTIONS = 4095;

/**
 * `index`, `redirect_dir` and `metacopy` off, whatever the kernel's default: the upper layer alone must say what
 * changed, and lower layers are shared between containers.
 */
const options = (lower: readonly string[], { upper, work }: Writable): string =>
  `lowerdir=${lower.join(':')},upperdir=${upper},workdir=${work},index=off,redirect_dir=off,metacopy=off`;

/**
 * With more layers than absolute paths leave room for (some 60), name them relative to the directory of links (150 fit). Not in
 * a thread: the working directory is everybody's.
 */
const mountFromLinks = (directory: string, names: readonly string[], writable: Writable): void => {
  const data = options(names, writable);
  if (data.length > MAX_OPTIONS) throw internal(`the image has too many layers to mount (${names.length})`);
  const back = process.cwd();
  process.chdir(directory);
  try {
    ffi.mount('overlay', writable.root, 'overlay', 0, data);
  } finally {
    process.chdir(back);
  }
};

const mountLayers = async (storage: Storage, entry: Base, writable: Writable): Promise<void> => {
  const directory = join(storage.graph, 'overlay', 'l');
  // a path that is absolute stays one
  const bottom = relative(directory, bottomLayer(storage));
  const names = [...(entry.fresh ?? []).toReversed(), ...links(storage, entry), bottom];
  const data = options(
    names.map((name) => resolve(directory, name)),
    writable,
  );
  try {
    if (data.length <= MAX_OPTIONS) await ffi.mountLater('overlay', writable.root, 'overlay', 0, data);
    else mountFromLinks(directory, names, writable);
  } catch (cause) {
    if (!(cause instanceof ffi.SystemError)) throw cause;
    throw new KernelError(cause.errno, `overlay mount at ${writable.root}`, '', { cause });
  }
};

/** What a container's root has where its image says nothing. The files are empty; what a start mounts on them is not. */
const BOTTOM = {
  directories: ['dev', 'etc', 'proc', 'sys'],
  files: ['etc/hostname', 'etc/hosts', 'etc/resolv.conf', '.dockerenv'],
} as const;

/**
 * The lowest of every container's layers: `/.dockerenv`, by which programs know that they are in one, and what the runtime
 * mounts on, which it would otherwise make in the container's own layer (`docker diff`, commits). Below the image, so that
 * all that the image says goes before it; no layer of the image's, so changes are told without it. And overlayfs wants a
 * lower directory for `FROM scratch`, too.
 */
const bottomLayer = (storage: Storage): string => {
  const path = join(storage.writable, '.bottom');
  // the last that is made
  if (existsSync(join(path, '.dockerenv'))) return path;
  for (const name of BOTTOM.directories) mkdirSync(join(path, name), { recursive: true });
  for (const name of BOTTOM.files) writeFileSync(join(path, name), '');
  // whatever the daemon's umask
  for (const name of [...BOTTOM.directories, ...BOTTOM.files]) chmodSync(join(path, name), 0o755);
  return path;
};

const emptyLayer = (storage: Storage): string => {
  const path = join(storage.writable, '.empty');
  mkdirSync(path, { recursive: true });
  return path;
};

/** What a container has written; one that was never mounted has written nothing. */
export const writtenLayer = (storage: Storage, containerId: string): string => {
  const { upper } = writableOf(storage, containerId);
  return existsSync(upper) ? upper : emptyLayer(storage);
};

/** A mount point is on another device than the directory it is in. */
const isMounted = (storage: Storage, { root }: Writable): boolean => {
  const stat = statSync(root, { throwIfNoEntry: false });
  return stat !== undefined && stat.dev !== statSync(storage.roots).dev;
};

/** What the storage gives a layer whose tar has no entry for its root (containers/storage `drivers/overlay`); Docker 0755. */
const UNSAID_MODE = 0o555;

/** The upper directory's owner and mode show through as the root's own: take the image's. */
const makeUpper = (storage: Storage, entry: Base, { upper }: Writable): void => {
  const [top] = layerDirectories(storage, entry);
  const mode = top ? statSync(top).mode & 0o7777 : UNSAID_MODE;
  mkdirSync(upper, { recursive: true });
  chmodSync(upper, mode === UNSAID_MODE ? 0o755 : mode);
};

/** Answers the root's path. Throws KernelError. 0.3 ms. */
export const mountWritable = async (storage: Storage, containerId: string, entry: Base): Promise<string> => {
  const writable = writableOf(storage, containerId);
  if (isMounted(storage, writable)) return writable.root;
  mkdirSync(writable.directory, { recursive: true, mode: 0o710 });
  makeUpper(storage, entry, writable);
  for (const path of [writable.work, writable.root]) mkdirSync(path, { recursive: true });
  writeFileSync(writable.image, entry.image.id);
  await mountLayers(storage, entry, writable);
  return writable.root;
};

/** Not mounted, or never made: well. */
export const unmountWritable = async (storage: Storage, containerId: string): Promise<void> => {
  const writable = writableOf(storage, containerId);
  if (isMounted(storage, writable)) await ffi.umountLater(writable.root);
};

/** What was unmounted: gone from its name at once, from the disk a little later. */
export const discardWritable = (storage: Storage, containerId: string, trash: Trash): void => {
  const { directory, root } = writableOf(storage, containerId);
  // never recursively: were it still mounted, that would be the container's files
  if (existsSync(root)) rmdirSync(root);
  trash.remove(directory);
};
