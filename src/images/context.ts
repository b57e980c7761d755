/**
 * A build's context laid down as a directory. GNU tar keeps every member inside it: it drops leading slashes, refuses
 * `..`, and makes links that point outside only after everything else is written, so none is ever followed.
 */
import { mkdirSync, realpathSync, statSync } from 'node:fs';
import { join, sep } from 'node:path';
import type { Readable } from 'node:stream';
import { invalid, ViaductError } from '../errors.js';
import { decompressed } from '../files/decompress.js';
import { ChildError, runChild } from './child.js';

/** Modes as sent, owner root: the builder gives everything to root anyway. */
const TAR = ['--extract', '--file=-', '--no-same-owner', '--same-permissions', '--delay-directory-restore'];

/** Throws invalid for what is no tar or would leave the directory. */
export const layContext = async (tar: Readable, directory: string, signal: AbortSignal): Promise<void> => {
  mkdirSync(directory, { mode: 0o755 });
  const input = await decompressed(tar);
  try {
    const args = [...TAR, `--directory=${directory}`];
    await runChild({ command: 'tar', args, env: { LC_ALL: 'C' }, input, signal });
  } catch (error) {
    if (error instanceof ViaductError) throw error;
    if (error instanceof ChildError)
      throw invalid(`Error processing tar file: ${error.stderr || 'unexpected EOF'}`, error);
    throw invalid('Error processing tar file', error);
  }
};

/** The Dockerfile's real path, never outside the context, whatever links lie on the way. */
export const dockerfileIn = (directory: string, name: string): string => {
  const missing = () => invalid(`Cannot locate specified Dockerfile: ${name}`);
  if (name.includes('\0')) throw missing();
  try {
    const path = realpathSync(join(directory, name));
    const inside = path.startsWith(realpathSync(directory) + sep);
    if (!inside) throw invalid(`forbidden path outside the build context: ${name}`);
    if (!statSync(path).isFile()) throw missing();
    return path;
  } catch (error) {
    throw error instanceof ViaductError ? error : missing();
  }
};
