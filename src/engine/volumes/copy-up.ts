/**
 * A new volume begins with what the image has at its mount point, as in Docker. Invariants: nothing is copied into a
 * volume that has anything in it; nothing outside the container's root is read, nor outside the volume written, whatever
 * links the image has and whatever another container that has the volume already does meanwhile.
 */

import { constants as fs, fstatSync, readdirSync } from 'node:fs';
import { ELOOP, ENOTDIR, ifThere } from '../../errno.js';
import { copyAttributes, copyContents } from '../../files/copy.js';
import {
  fromText,
  type OpenView,
  plainView,
  resolveDirectory,
  type Spot,
  withView,
} from '../../files/view.js';
import * as ffi from '../../kernel/ffi.js';
import { closing } from '../../kernel/file-calls.js';

const fill = (root: OpenView, from: Spot, volume: string): Promise<void> =>
  closing(ffi.open(volume, ffi.O.PATH | fs.O_DIRECTORY), async (into) => {
    await copyContents(root, from, into);
    copyAttributes({ fd: from.fd, stat: fstatSync(from.fd) }, into);
  });

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
  await withView(plainView(rootfs), async (root) => {
    // nothing, where the image has no such directory
    const from = ifThere(() => resolveDirectory(root, fromText(path)), ENOTDIR, ELOOP);
    if (from) await closing(from.fd, () => fill(root, from, volume));
  });
};
