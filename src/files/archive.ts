/**
 * A path of a container as a tar stream. What a running container exchanges meanwhile is read as it was opened, or is not
 * there; no FIFO and no device is ever opened.
 */

import { closeSync } from 'node:fs';
import { Readable } from 'node:stream';
import { createPace } from '../pace.js';
import { travels } from './attributes.js';
import type { FileView, PathStat } from './contract.js';
import type { Opened } from './copy.js';
import { entryOf, inChunks, type Links, packed } from './pack.js';
import { askedPath, describe, pathError, resolveAsked } from './path-stat.js';
import { closeView, type OpenView, openView, plainView, type Spot } from './view.js';
import { walk } from './walk.js';

async function* archived(found: Opened, name: string, links: Links): AsyncGenerator<Buffer> {
  const entry = entryOf(found, name, links, travels);
  if (entry) yield* packed(entry, found.fd);
}

/** `top`: the directory's own name in the archive; undefined: it has no entry, and what is in it no prefix. */
async function* tree(
  view: OpenView,
  directory: Opened & Spot,
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

/** Closes what is open when the stream ends, however it ends, also before it was read. */
const streamOf = (pieces: AsyncIterable<Buffer>, view: OpenView, spot: Spot): Readable =>
  Readable.from(inChunks(pieces), { objectMode: false })
    .on('error', () => {})
    .once('close', () => {
      closeSync(spot.fd);
      closeView(view);
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
  const view = openView(plainView(root));
  try {
    const { spot, stat } = resolveAsked(view, askedPath('/'));
    return streamOf(tree(view, { ...spot, stat }, undefined), view, spot);
  } catch (error) {
    closeSync(view.root);
    throw error;
  }
};
