/** An upper directory as a layer's tar: deletions as marker files, and nothing of what the runtime put there to mount on. */
import { createHash } from 'node:crypto';
import { createReadStream, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { type Lower, layerListing } from './changes.js';
import { runChild } from './child.js';

const list = (paths: readonly string[]): string => paths.map((path) => `./${path}\0`).join('');

/** PAX, for the extended attributes (file capabilities); overlay's own are not part of a layer. */
const TAR = [
  '--format=posix',
  '--numeric-owner',
  '--xattrs',
  '--xattrs-include=*',
  '--xattrs-exclude=trusted.overlay.*',
  '--no-recursion',
  '--null',
  '--verbatim-files-from',
];

export interface Layer {
  /** `sha256:…` of the tar */
  readonly digest: string;
  readonly size: number;
}

export const sha256OfFile = async (file: string): Promise<string> => {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return `sha256:${hash.digest('hex')}`;
};

interface Packing {
  /** a directory of the caller's, who removes it */
  readonly scratch: string;
  /** the tar to write */
  readonly file: string;
  readonly signal?: AbortSignal;
}

/**
 * Writes `file`; GNU tar keeps hard links and sparse files. `lower`: the directories below, topmost first. Undefined where
 * nothing was changed: then there is no layer.
 */
export const packLayer = async (
  upper: string,
  lower: Lower,
  { scratch, file, signal }: Packing,
): Promise<Layer | undefined> => {
  const { paths, markers } = await layerListing(upper, lower);
  if (paths.length + markers.length === 0) return undefined;
  const at = (name: string) => join(scratch, name);
  for (const marker of markers) {
    mkdirSync(dirname(at(`markers/${marker}`)), { recursive: true });
    writeFileSync(at(`markers/${marker}`), '');
  }
  mkdirSync(at('markers'), { recursive: true });
  writeFileSync(at('paths'), list(paths));
  writeFileSync(at('marks'), list(markers));
  const from = ['-C', upper, '-T', at('paths'), '-C', at('markers'), '-T', at('marks')];
  await runChild({
    command: 'tar',
    args: ['-cf', file, ...TAR, ...from],
    env: { LC_ALL: 'C' },
    ...(signal ? { signal } : {}),
  });
  return { digest: await sha256OfFile(file), size: statSync(file).size };
};
