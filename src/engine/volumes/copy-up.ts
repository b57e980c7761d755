/**
 * A new volume begins with what the image has at its mount point, as in Docker. Invariants: nothing is copied into a
 * volume that has anything in it; nothing outside the container's root is read, nor outside the volume written, whatever
 * links the image has and whatever another container that has the volume already does meanwhile.
 */
import { closeSync, constants as fs, fstatSync, readdirSync } from 'node:fs';
import { copyAttributes, copyContents } from '../../files/copy.js';
import { fromText, openView, resolve, type Spot } from '../../files/view.js';
import * as ffi from '../../kernel/ffi.js';

type Root = ReturnType<typeof openView>;

/** Undefined: it is not there, or no directory. */
const directoryIn = (root: Root, path: string): Spot | undefined => {
  try {
    const spot = resolve(root, fromText(path));
    if (fstatSync(spot.fd).isDirectory()) return spot;
    closeSync(spot.fd);
    return undefined;
  } catch (error) {
    if (error instanceof ffi.SystemError && ['ENOENT', 'ENOTDIR', 'ELOOP'].includes(error.code))
      return undefined;
    throw error;
  }
};

const fill = async (root: Root, from: Spot, volume: string): Promise<void> => {
  const into = ffi.open(volume, ffi.O.PATH | fs.O_DIRECTORY);
  try {
    await copyContents(root, from, into);
    copyAttributes({ fd: from.fd, stat: fstatSync(from.fd) }, into);
  } finally {
    closeSync(into);
  }
};

/** Volumes that are being filled: of two containers that get a new one at once, one fills it. */
const underWay = new Map<string, Promise<void>>();

/** `rootfs`: the container's mounted root; `path`: the mount point inside; `volume`: the volume's directory. */
export const copyUp = async (rootfs: string, path: string, volume: string): Promise<void> => {
  await underWay.get(volume)?.catch(() => {}); // it is the other's to tell; below is seen what there is
  const filling = copyInto(rootfs, path, volume);
  underWay.set(volume, filling);
  try {
    await filling;
  } finally {
    if (underWay.get(volume) === filling) underWay.delete(volume);
  }
};

const copyInto = async (rootfs: string, path: string, volume: string): Promise<void> => {
  if (readdirSync(volume).length > 0) return;
  const root = openView({ name: '', root: rootfs, readOnly: true, mounts: [] });
  try {
    const from = directoryIn(root, path);
    if (!from) return;
    try {
      await fill(root, from, volume);
    } finally {
      closeSync(from.fd);
    }
  } finally {
    closeSync(root.root);
  }
};
