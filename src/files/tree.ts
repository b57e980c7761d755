/**
 * Trees of files as a build reads and copies them: its context, images, the roots of its steps. Links are followed within
 * their own root, wherever they point; what is no regular file is never opened.
 */

import { createHash } from 'node:crypto';
import { chownSync, closeSync, fstatSync, type Stats } from 'node:fs';
import { posix } from 'node:path';
import { Readable } from 'node:stream';
import { ENOTDIR, ifThere } from '../errno.js';
import { invalid } from '../errors.js';
import * as call from '../kernel/file-calls.js';
import { createPace } from '../pace.js';
import { readContent } from './content.js';
import type { Owner } from './contract.js';
import { copyAttributes, copyContents, copyFile, type Opened } from './copy.js';
import { decompressed } from './decompress.js';
import { removeAt } from './remove.js';
import { readTar } from './tar/read.js';
import {
  fromText,
  type OpenView,
  plainView,
  resolve,
  resolveDirectory,
  type Spot,
  toText,
  withSpot,
  withView,
} from './view.js';
import { walk } from './walk.js';

/** A path below a directory of the host. */
export interface Place {
  readonly root: string;
  readonly path: string;
}

/** What a path leads to, open. */
interface Found extends Spot, Opened {
  readonly view: OpenView;
}

const withPlace = <T>({ root, path }: Place, work: (found: Found) => T): T =>
  withView(plainView(root), (view) =>
    withSpot(view, fromText(path), (spot) => work({ ...spot, view, stat: fstatSync(spot.fd) })),
  );

export type Kind = 'file' | 'directory' | 'other';

const kindOf = (stat: Stats): Kind => (stat.isFile() ? 'file' : stat.isDirectory() ? 'directory' : 'other');

/** Undefined where the path leads nowhere. */
export const kindAt = (place: Place): Kind | undefined =>
  ifThere(() => withPlace(place, ({ stat }) => kindOf(stat)), ENOTDIR);

const bytesOf = async (fd: number, size: number): Promise<Buffer> => {
  const chunks: Buffer[] = [];
  for await (const chunk of readContent(fd, size)) chunks.push(chunk);
  return Buffer.concat(chunks);
};

/** Bytes of a text that is read whole. */
const LONGEST_TEXT = 1 << 20;

/** Text of a regular file; undefined where there is none. Throws invalid where it is too long. */
export const textAt = async (place: Place): Promise<string | undefined> => {
  if (kindAt(place) !== 'file') return undefined;
  return withPlace(place, async ({ fd, stat }) => {
    if (stat.size > LONGEST_TEXT) throw invalid(`${place.path} has more than ${LONGEST_TEXT} bytes`);
    return (await bytesOf(fd, stat.size)).toString('utf8');
  });
};

async function* contentAt(place: Place): AsyncGenerator<Buffer> {
  const { fd } = withView(plainView(place.root), (view) => resolve(view, fromText(place.path)));
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) throw invalid(`${place.path} is not a regular file`);
    yield* readContent(fd, stat.size);
  } finally {
    closeSync(fd);
  }
}

/** The bytes of a regular file. Its reader hears the errors. */
export const readAt = (place: Place): Readable =>
  Readable.from(contentAt(place), { objectMode: false }).on('error', () => {});

/** A tar with something in it, plain or compressed. */
export const isArchive = async (place: Place): Promise<boolean> => {
  const file = readAt(place);
  try {
    for await (const _ of readTar(await decompressed(file))) return true;
    return false;
  } catch {
    return false; // it may look compressed, and not be
  } finally {
    file.destroy();
  }
};

/** Removes the thing itself, not what it links to. */
export const removePlace = ({ root, path }: Place): Promise<void> =>
  withPlace({ root, path: posix.dirname(posix.resolve('/', path)) }, ({ fd }) =>
    removeAt(fd, posix.basename(fromText(path)), createPace()),
  );

/** Every path below the root, sorted. */
export const pathsBelow = (root: string): Promise<readonly string[]> =>
  withPlace({ root, path: '/' }, async ({ view, fd, path }) => {
    const paths: string[] = [];
    for await (const found of walk(view, { fd, path }, createPace())) paths.push(toText(found.relative));
    return paths.sort();
  });

// ── checksums ─────────────────────────────────────────────────────────────────────────────────────────────────────

const checksumOf = async (name: string, { fd, stat }: Opened, owners: boolean): Promise<string> => {
  const link = stat.isSymbolicLink() ? call.linkTarget(fd) : '';
  const size = stat.isFile() ? stat.size : 0;
  const owner = owners ? [stat.uid, stat.gid] : [];
  const hash = createHash('sha256').update(
    JSON.stringify([name, stat.mode, stat.rdev, size, link, ...owner]),
  );
  if (stat.isFile()) for await (const chunk of readContent(fd, size)) hash.update(chunk);
  return hash.digest('hex');
};

/**
 * What a copy of the file or tree is known by: names, kinds, modes, links and contents, not times; `owners`: of owners too.
 * Throws SystemError.
 */
export const checksumAt = (place: Place, owners: boolean): Promise<string> =>
  withPlace(place, async (opened) => {
    const name = posix.basename(place.path);
    if (!opened.stat.isDirectory()) return `file:${await checksumOf(name, opened, owners)}`;
    const pace = createPace();
    const parts: string[] = [await checksumOf('', opened, owners)];
    for await (const found of walk(opened.view, opened, pace)) {
      parts.push(await checksumOf(found.relative, found, owners));
      if (pace.due()) await pace.rest();
    }
    return `dir:${createHash('sha256').update(parts.sort().join(',')).digest('hex')}`;
  });

// ── copies ────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Opens the directory, made with those above it where they are missing, each the owner's. */
const openMade = (view: OpenView, path: string, owner: Owner | undefined): Spot => {
  const names = path.split('/').filter((name) => name !== '');
  for (let depth = 1; depth <= names.length; depth++) {
    const part = names.slice(0, depth).join('/');
    const there = resolvedKind(view, part);
    if (there !== undefined) continue;
    const { fd } = resolve(view, part, { make: true });
    call.closing(fd, () => owner && chownSync(call.descriptorPath(fd), owner.uid, owner.gid));
  }
  return resolveDirectory(view, path);
};

const resolvedKind = (view: OpenView, path: string): Kind | undefined =>
  ifThere(() => withSpot(view, path, ({ fd }) => kindOf(fstatSync(fd))), ENOTDIR);

/** Those that are missing (mode 0755). Throws invalid where something else is in the way. */
export const makeDirectories = async ({ root, path }: Place): Promise<void> => {
  const kind = kindAt({ root, path });
  if (kind !== undefined && kind !== 'directory') throw invalid(`Cannot mkdir: ${path} is not a directory`);
  withView(plainView(root), (view) => closeSync(openMade(view, fromText(path), undefined).fd));
};

const copyTree = async (
  from: Found,
  to: { readonly view: OpenView; readonly path: string },
  owner: Owner | undefined,
): Promise<void> => {
  const there = resolvedKind(to.view, to.path);
  if (there !== undefined && there !== 'directory')
    throw invalid(`cannot copy to non-directory: ${toText(to.path)}`);
  const options = owner ? { owner } : {};
  await call.closing(openMade(to.view, to.path, owner).fd, async (target) => {
    await copyContents(from.view, from, target, options);
    if (there === undefined) copyAttributes(from, target, options);
  });
};

/** A link at the destination's end is followed where it leads to something; else the file takes its place. */
const fileTarget = (view: OpenView, path: string, name: string): { parent: string; name: string } => {
  const there = resolvedKind(view, path);
  if (there === 'directory' || path.endsWith('/')) return { parent: path, name };
  if (there === undefined)
    return { parent: posix.dirname(posix.resolve('/', path)), name: posix.basename(path) };
  return withSpot(view, path, (spot) => ({
    parent: posix.dirname(spot.path || '/'),
    name: posix.basename(spot.path),
  }));
};

const copyOne = async (
  from: Found,
  name: string,
  to: { readonly view: OpenView; readonly path: string },
  owner: Owner | undefined,
): Promise<void> => {
  const target = fileTarget(to.view, to.path, name);
  await call.closing(openMade(to.view, target.parent, owner).fd, (parent) =>
    copyFile(from, parent, target.name, owner ? { owner } : {}),
  );
};

/**
 * A directory's contents into a directory, or a file, as Docker's classic builder does. `owner` absent: as they are. Throws
 * SystemError where the source is missing, invalid where the destination cannot be.
 */
export const copyPlace = (from: Place, to: Place, owner: Owner | undefined): Promise<void> =>
  withPlace(from, (source) =>
    withView(plainView(to.root), (view) => {
      const target = { view, path: fromText(to.path) };
      return source.stat.isDirectory()
        ? copyTree(source, target, owner)
        : copyOne(source, posix.basename(fromText(from.path)), target, owner);
    }),
  );
