/**
 * A path of a container as a tar stream. What a running container exchanges meanwhile is read as it was opened, or is not
 * there; no FIFO and no device is ever opened.
 */
import { closeSync } from 'node:fs';
import { Readable } from 'node:stream';
import * as call from '../kernel/file-calls.js';
import { readAttributes, travels } from './attributes.js';
import { readContent } from './content.js';
import type { FileView, PathStat } from './contract.js';
import { deviceNumbers, typeOf } from './copy.js';
import { createPace } from './pace.js';
import { askedPath, describe, pathError, resolveAsked } from './path-stat.js';
import type { TarEntry } from './tar/read.js';
import { END, headerOf, padded } from './tar/write.js';
import { type OpenView, openView, type Spot } from './view.js';
import { type Found, walk } from './walk.js';

/** Small pieces are sent together. */
const CHUNK = 64 * 1024;

/** The first name in the archive of files with several. */
type Links = Map<string, string>;

type Archived = Pick<Found, 'fd' | 'stat'>;

/** Undefined: a socket. */
const entryOf = ({ fd, stat }: Archived, name: string, links: Links): TarEntry | undefined => {
  const type = typeOf(stat);
  if (!type) return undefined;
  const key = stat.nlink > 1 && type !== 'directory' ? `${stat.dev}:${stat.ino}` : undefined;
  const first = key === undefined ? undefined : links.get(key);
  if (key !== undefined && first === undefined) links.set(key, name);
  return {
    name: type === 'directory' ? `${name}/` : name,
    type: first === undefined ? type : 'link',
    mode: stat.mode & 0o7777,
    uid: stat.uid,
    gid: stat.gid,
    size: type === 'file' && first === undefined ? stat.size : 0,
    mtime: stat.mtimeMs / 1000,
    linkname: first ?? (type === 'symlink' ? call.linkTarget(fd) : ''),
    ...deviceNumbers(stat.rdev),
    attributes: readAttributes(fd, travels),
  };
};

async function* archived(found: Archived, name: string, links: Links): AsyncGenerator<Buffer> {
  const entry = entryOf(found, name, links);
  if (!entry) return;
  yield headerOf(entry);
  if (entry.size === 0) return;
  yield* readContent(found.fd, entry.size);
  yield padded(entry.size);
}

/** `top`: the directory's own name in the archive; undefined: it has no entry, and what is in it no prefix. */
async function* tree(
  view: OpenView,
  directory: Archived & Spot,
  top: string | undefined,
): AsyncGenerator<Buffer> {
  const pace = createPace();
  const links: Links = new Map();
  if (top !== undefined) yield* archived(directory, top, links);
  for await (const found of walk(view, directory, pace)) {
    yield* archived(found, top === undefined ? found.relative : `${top}/${found.relative}`, links);
    if (pace.due()) await pace.rest();
  }
}

async function* inChunks(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let waiting: Buffer[] = [];
  let length = 0;
  for await (const piece of pieces) {
    waiting.push(piece);
    length += piece.length;
    if (length < CHUNK) continue;
    yield Buffer.concat(waiting);
    waiting = [];
    length = 0;
  }
  yield Buffer.concat([...waiting, END]);
}

/** Closes what is open when the stream ends, however it ends, also before it was read. */
const streamOf = (pieces: AsyncIterable<Buffer>, view: OpenView, spot: Spot): Readable =>
  Readable.from(inChunks(pieces), { objectMode: false })
    .on('error', () => {})
    .once('close', () => {
      closeSync(spot.fd);
      closeSync(view.root);
    });

/** As Docker names entries: `name/…` of a directory, `./…` of its contents, `/…` of the root. Throws not-found. */
export const archivePath = (
  fileView: FileView,
  path: string,
): { readonly stat: PathStat; readonly tar: Readable } => {
  const asked = askedPath(path);
  const view = openView(fileView);
  try {
    const found = resolveAsked(view, asked);
    const stat = describe(view, asked, found);
    const entry = { ...found.spot, stat: found.stat };
    const top = asked.contents ? '.' : asked.name;
    const pieces = found.stat.isDirectory() ? tree(view, entry, top) : archived(entry, top, new Map());
    return { stat, tar: streamOf(pieces, view, found.spot) };
  } catch (error) {
    closeSync(view.root);
    throw pathError(fileView, path, error);
  }
};

/** Everything in the root, named from there (`bin/sh`), without mounts. */
export const archiveRoot = (root: string): Readable => {
  const view = openView({ name: '', root, readOnly: true, mounts: [] });
  try {
    const { spot, stat } = resolveAsked(view, askedPath('/'));
    return streamOf(tree(view, { ...spot, stat }, undefined), view, spot);
  } catch (error) {
    closeSync(view.root);
    throw error;
  }
};
