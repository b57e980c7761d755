/**
 * What a container changed against its image, read from its upper layer alone: overlayfs marks a deletion by a
 * character device 0/0 and a replaced directory by the attribute `trusted.overlay.opaque`
 * (Documentation/filesystems/overlayfs.rst). Redirects do not occur: roots are mounted with them off.
 */
import { lstatSync, readdirSync, type Stats } from 'node:fs';
import { join } from 'node:path';
import { createPace, type Pace } from '../files/pace.js';
import { lgetxattr } from '../kernel/ffi.js';

export interface Change {
  /** absolute inside the container */
  readonly Path: string;
  /** 0 modified, 1 added, 2 deleted */
  readonly Kind: 0 | 1 | 2;
}

const statOf = (path: string): Stats | undefined => lstatSync(path, { throwIfNoEntry: false });

/** `rdev` 0: a device that exists nowhere else. */
const isWhiteout = (stat: Stats): boolean => stat.isCharacterDevice() && stat.rdev === 0;

const isOpaque = (directory: string): boolean =>
  lgetxattr(directory, 'trusted.overlay.opaque')?.toString() === 'y';

/** Directories of lower layers that together show as one, topmost first. */
export type Lower = readonly string[];

/** The entry in the merged view of the lower layers; undefined where they show none. */
const seenBelow = (lower: Lower, name: string): Stats | undefined => {
  for (const directory of lower) {
    const stat = statOf(join(directory, name));
    if (stat) return isWhiteout(stat) ? undefined : stat;
  }
  return undefined;
};

/** The lower directories that show through at `name`: down to the first that is no directory or is opaque. */
const descend = (lower: Lower, name: string): Lower => {
  const found: string[] = [];
  for (const directory of lower) {
    const path = join(directory, name);
    const stat = statOf(path);
    if (!stat) continue;
    if (!stat.isDirectory()) break;
    found.push(path);
    if (isOpaque(path)) break;
  }
  return found;
};

const namesBelow = (lower: Lower): readonly string[] => {
  const names = new Set(lower.flatMap((directory) => readdirSync(directory)));
  return [...names].filter((name) => seenBelow(lower, name));
};

interface Level {
  /** directory of the upper layer */
  readonly upper: string;
  readonly lower: Lower;
  /** path inside the container, empty at the root */
  readonly path: string;
  /** the upper directory hides all that is below */
  readonly opaque: boolean;
}

const kindOf = (stat: Stats, below: Stats | undefined): 0 | 1 | 2 =>
  isWhiteout(stat) ? 2 : below === undefined ? 1 : 0;

function* changesAt({ upper, lower, path, opaque }: Level): Generator<Change> {
  const names = readdirSync(upper).sort();
  for (const name of names) {
    const stat = statOf(join(upper, name));
    // a whiteout over nothing is left by a file made and deleted again
    const below = seenBelow(lower, name);
    if (!stat || (isWhiteout(stat) && !below)) continue;
    yield { Path: `${path}/${name}`, Kind: kindOf(stat, below) };
    if (!stat.isDirectory()) continue;
    const next = { upper: join(upper, name), path: `${path}/${name}`, lower: descend(lower, name) };
    yield* changesAt({ ...next, opaque: isOpaque(next.upper) });
  }
  if (!opaque) return;
  for (const name of namesBelow(lower).filter((n) => !names.includes(n)))
    yield { Path: `${path}/${name}`, Kind: 2 };
}

/** `lower`: the layers' directories, topmost first. In the order of a walk, names sorted. */
export const changesIn = (upper: string, lower: Lower): readonly Change[] => [
  ...changesAt({ upper, lower, path: '', opaque: false }),
];

/** An upper layer as a layer's tar has it. */
export interface LayerListing {
  /** paths relative to the upper directory, parents before children */
  readonly paths: readonly string[];
  /** relative paths of the marker files that stand for deletions (`.wh.NAME`, `.wh..wh..opq`) */
  readonly markers: readonly string[];
}

const MARK = '.wh.';
const OPAQUE_MARK = '.wh..wh..opq';

/** What a start of a container makes where the image has none, for the runtime to mount on. */
const MOUNT_POINTS = new Set([
  'dev',
  'dev/console',
  'dev/mqueue',
  'dev/pts',
  'dev/shm',
  'etc/hostname',
  'etc/hosts',
  'etc/resolv.conf',
  'proc',
  'sys',
]);

const isEmptyMountPoint = (path: string, stat: Stats, listed: number, lower: Lower): boolean =>
  MOUNT_POINTS.has(path) &&
  (stat.isDirectory() ? listed === 0 : stat.isFile() && stat.size === 0) &&
  seenBelow(lower, path) === undefined;

/** Sockets are left out: no tar can hold them. `lower`: topmost first. In slices, for there may be many. */
export const layerListing = async (
  upper: string,
  lower: Lower,
  below = '',
  pace: Pace = createPace(),
): Promise<LayerListing> => {
  const [paths, markers]: [string[], string[]] = [[], []];
  for (const name of readdirSync(join(upper, below)).sort()) {
    if (pace.due()) await pace.rest();
    const relative = join(below, name);
    const stat = statOf(join(upper, relative));
    if (!stat || stat.isSocket()) continue;
    if (isWhiteout(stat)) {
      markers.push(join(below, MARK + name));
      continue;
    }
    const inside: LayerListing = stat.isDirectory()
      ? await layerListing(upper, lower, relative, pace)
      : { paths: [], markers: [] };
    if (isEmptyMountPoint(relative, stat, inside.paths.length + inside.markers.length, lower)) continue;
    paths.push(relative);
    for (const path of inside.paths) paths.push(path);
    if (stat.isDirectory() && isOpaque(join(upper, relative))) markers.push(join(relative, OPAQUE_MARK));
    for (const marker of inside.markers) markers.push(marker);
  }
  return { paths, markers };
};

/** Bytes of the files below, hard links counted once, as Docker's SizeRw. */
export const bytesIn = (directory: string, seen: Set<number> = new Set()): number => {
  let sum = 0;
  for (const name of readdirSync(directory)) {
    const path = join(directory, name);
    const stat = statOf(path);
    if (!stat || seen.has(stat.ino)) continue;
    if (stat.nlink > 1) seen.add(stat.ino);
    if (stat.isDirectory()) sum += bytesIn(path, seen);
    else if (stat.isFile() || stat.isSymbolicLink()) sum += stat.size;
  }
  return sum;
};
