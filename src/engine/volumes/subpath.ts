/**
 * A directory of a volume, for a start to mount: found inside the volume by descriptors and bound to a path of ours, so that
 * nobody who has the volume can put a link in its place before the OCI runtime looks.
 *
 *   <exec root>/subpaths/<container>.<n>    there while the container is being made
 */

import { existsSync, fstatSync, mkdirSync, readdirSync, rmdirSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EINVAL, failedWith } from '../../errno.js';
import { invalid, refused } from '../../errors.js';
import { fromText, plainView, type Spot, withSpot, withView } from '../../files/view.js';
import * as ffi from '../../kernel/ffi.js';
import { descriptorPath } from '../../kernel/file-calls.js';

const refusal = (subpath: string, error: unknown): unknown => {
  if (!(error instanceof ffi.SystemError)) return error;
  if (error.code === 'ENOENT' || error.code === 'ENOTDIR')
    return refused(`cannot access path ${subpath}: no such file or directory`, error);
  return invalid(`cannot access path ${subpath}: ${error.message}`, error);
};

/** Never recursively: were it still mounted, that would be the volume's files. */
const removePoint = async (path: string): Promise<void> => {
  await ffi.umountAlone(path).catch((error: unknown) => {
    if (!failedWith(error, EINVAL)) throw error; // nothing is mounted there
  });
  try {
    rmdirSync(path);
  } catch {
    unlinkSync(path);
  }
};

export interface BoundSubpath {
  readonly path: string;
  release(): Promise<void>;
}

/** Throws internal where there is no such thing in the volume. */
export const bindSubpath = async (
  execRoot: string,
  name: string,
  volume: string,
  subpath: string,
): Promise<BoundSubpath> => {
  const parent = join(execRoot, 'subpaths');
  const path = join(parent, name);
  const bind = async ({ fd }: Spot): Promise<void> => {
    mkdirSync(parent, { recursive: true, mode: 0o700 });
    if (existsSync(path)) await removePoint(path);
    if (fstatSync(fd).isDirectory()) mkdirSync(path);
    else writeFileSync(path, '');
    await ffi.mountLater(descriptorPath(fd), path, '', ffi.MS.BIND | ffi.MS.REC, '');
    await ffi.mountLater('', path, '', ffi.MS.REC | ffi.MS.PRIVATE, '');
  };
  try {
    await withView(plainView(volume), (view) => withSpot(view, fromText(subpath), bind));
  } catch (error) {
    throw refusal(subpath, error);
  }
  return { path, release: () => removePoint(path) };
};

/** What a daemon left that was killed while it made a container. */
export const sweepSubpaths = async (execRoot: string): Promise<void> => {
  const parent = join(execRoot, 'subpaths');
  if (!existsSync(parent)) return;
  for (const name of readdirSync(parent)) await removePoint(join(parent, name));
};
