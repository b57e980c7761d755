/**
 * An upper directory as a layer's tar: deletions as marker files, and nothing of what the runtime put there to mount on. The
 * same tree gives the same bytes.
 */
import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { internal } from '../errors.js';
import { staysLocal } from '../files/attributes.js';
import { entryOf, inChunks, type Links, packed } from '../files/pack.js';
import type { TarEntry } from '../files/tar/read.js';
import { headerOf } from '../files/tar/write.js';
import { createPace } from '../pace.js';
import { isWhiteout, seenBelow, type Written, writtenIn } from './written.js';

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

/** Each is written by a thread of libuv's, which takes longer to ask than to write less. */
const CHUNK = 512 * 1024;

const MARK = '.wh.';
const OPAQUE_MARK = '.wh..wh..opq';

/** An empty file that stands for a deletion, of the time of what it stands for. */
const markerOf = (name: string, { stat }: Written): TarEntry => ({
  ...{ name, type: 'file', mode: 0o644, uid: 0, gid: 0, size: 0, mtime: stat.mtimeMs / 1000 },
  ...{ linkname: '', major: 0, minor: 0, attributes: new Map() },
});

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

/** Of a directory: unless something is in it. */
const isMountPoint = ({ path, stat, lower, name }: Written): boolean =>
  MOUNT_POINTS.has(path) &&
  (stat.isDirectory() || (stat.isFile() && stat.size === 0)) &&
  seenBelow(lower, name) === undefined;

/** One thing of the upper layer; nothing for a socket. */
async function* piecesOf(written: Written, links: Links): AsyncGenerator<Buffer> {
  const { fd, stat, parent, name, path, inside } = written;
  if (isWhiteout(stat)) {
    yield headerOf(markerOf(parent + MARK + name, written));
    return;
  }
  const entry = entryOf({ fd, stat }, path, links, staysLocal);
  if (entry) yield* packed(entry, fd);
  if (inside?.opaque) yield headerOf(markerOf(`${path}/${OPAQUE_MARK}`, written));
}

/** Directories made to mount on wait until something in them is packed, and are left out else. */
async function* layerPieces(upper: string, lower: readonly string[]): AsyncGenerator<Buffer> {
  const links: Links = new Map();
  let waiting: readonly { readonly path: string; readonly header: Buffer }[] = [];
  for await (const written of writtenIn(upper, lower, createPace())) {
    waiting = waiting.filter(({ path }) => written.path.startsWith(`${path}/`));
    const isOpaque = written.inside?.opaque === true;
    if (isMountPoint(written) && !isOpaque) {
      if (!written.inside) continue;
      for await (const header of piecesOf(written, links))
        waiting = [...waiting, { path: written.path, header }];
      continue;
    }
    for await (const piece of piecesOf(written, links)) {
      for (const { header } of waiting) yield header;
      waiting = [];
      yield piece;
    }
  }
}

interface Packing {
  /** the tar to write, which is not there yet */
  readonly file: string;
  readonly signal?: AbortSignal;
}

/**
 * Writes `file`. `lower`: the directories below, topmost first. Undefined where nothing was changed: then there is no layer.
 * Throws internal where the upper directory was removed meanwhile.
 */
export const packLayer = async (
  upper: string,
  lower: readonly string[],
  { file, signal }: Packing,
): Promise<Layer | undefined> => {
  const hash = createHash('sha256');
  let [size, isEmpty] = [0, true];
  async function* all(): AsyncGenerator<Buffer> {
    for await (const piece of layerPieces(upper, lower)) {
      isEmpty = false;
      yield piece;
    }
  }
  async function* measured(): AsyncGenerator<Buffer> {
    for await (const chunk of inChunks(all(), CHUNK)) {
      hash.update(chunk);
      size += chunk.length;
      yield chunk;
    }
  }
  await writeFile(file, measured(), { flag: 'wx', mode: 0o600, ...(signal ? { signal } : {}) });
  if (!existsSync(upper)) throw internal('the layer was removed while it was read');
  return isEmpty ? undefined : { digest: `sha256:${hash.digest('hex')}`, size };
};
