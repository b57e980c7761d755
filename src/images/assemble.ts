/**
 * A new image from a base and one layer's tar: its manifest and configuration are written to a directory that skopeo
 * copies into the storage. The base's layers are only named there: the storage has them and skopeo reuses them by digest.
 */
import { createHash } from 'node:crypto';
import { createReadStream, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Entry } from './catalogue.js';
import type { StoredConfig } from './config.js';
import type { Storage } from './storage.js';
import { skopeoCopy, stored } from './tools.js';

const MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json';
const CONFIG = 'application/vnd.docker.container.image.v1+json';
const LAYER = 'application/vnd.docker.image.rootfs.diff.tar';

interface Blob {
  readonly mediaType: string;
  readonly size: number;
  readonly digest: string;
}

const sha256OfFile = async (file: string): Promise<string> => {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
};

const baseLayers = (base: Entry | undefined): readonly Blob[] =>
  (base?.image.diffIds ?? []).map((digest, index) => ({
    mediaType: LAYER,
    size: base?.layerSizes[index] ?? 0,
    digest,
  }));

/** `layer` is an uncompressed tar inside `directory`, a scratch directory. `name` full, or empty. Answers the id. */
export const storeImage = async (
  storage: Storage,
  request: {
    readonly directory: string;
    readonly base?: Entry;
    readonly layer: string;
    /** everything but `rootfs` */
    readonly config: StoredConfig;
    readonly name: string;
  },
): Promise<string> => {
  const { directory, layer, base, name } = request;
  const hex = await sha256OfFile(layer);
  const layers = [
    ...baseLayers(base),
    { mediaType: LAYER, size: statSync(layer).size, digest: `sha256:${hex}` },
  ];
  renameSync(layer, join(directory, hex));
  const rootfs = { type: 'layers', diff_ids: layers.map((blob) => blob.digest) };
  const config = JSON.stringify({ ...request.config, rootfs });
  const id = createHash('sha256').update(config).digest('hex');
  const configBlob: Blob = { mediaType: CONFIG, size: Buffer.byteLength(config), digest: `sha256:${id}` };
  const manifest = { schemaVersion: 2, mediaType: MANIFEST, config: configBlob, layers };
  writeFileSync(join(directory, id), config);
  writeFileSync(join(directory, 'manifest.json'), JSON.stringify(manifest));
  writeFileSync(join(directory, 'version'), 'Directory Transport Version: 1.1\n');
  await skopeoCopy(storage, `dir:${directory}`, name ? `containers-storage:${name}` : stored(id));
  return `sha256:${id}`;
};
