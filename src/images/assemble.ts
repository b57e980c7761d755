/**
 * A new image from layers and a configuration: both are written to a directory that skopeo copies into the storage. Layers
 * that the storage has are only named there, and reused by their digest.
 */
import { createHash } from 'node:crypto';
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Entry } from './catalogue.js';
import type { StoredConfig } from './config.js';
import type { Layer } from './layer.js';
import type { Storage } from './storage.js';
import { skopeoCopy, stored } from './tools.js';

const MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json';
const CONFIG = 'application/vnd.docker.container.image.v1+json';
const LAYER = 'application/vnd.docker.image.rootfs.diff.tar';

export const layersOf = (entry: Entry | undefined): readonly Layer[] =>
  (entry?.image.diffIds ?? []).map((digest, index) => ({ digest, size: entry?.layerSizes[index] ?? 0 }));

/** The configuration's text, by which the image has its id. */
export const configText = (config: StoredConfig, diffIds: readonly string[]): string =>
  JSON.stringify({ ...config, rootfs: { type: 'layers', diff_ids: diffIds } });

export const idOfText = (text: string): string => `sha256:${createHash('sha256').update(text).digest('hex')}`;

/** Where in the directory a layer's tar has to be. */
export const layerFile = (directory: string, { digest }: Layer): string =>
  join(directory, digest.slice('sha256:'.length));

/** New layers' tars are in `directory` already, see `layerFile`. `name` full, or empty. Answers the id. */
export const storeLayers = async (
  storage: Storage,
  directory: string,
  image: { readonly text: string; readonly layers: readonly Layer[]; readonly name: string },
): Promise<string> => {
  const { text, layers, name } = image;
  const digest = idOfText(text);
  const hex = digest.slice('sha256:'.length);
  const config = { mediaType: CONFIG, size: Buffer.byteLength(text), digest };
  const blobs = layers.map((layer) => ({ mediaType: LAYER, ...layer }));
  writeFileSync(join(directory, hex), text);
  writeFileSync(
    join(directory, 'manifest.json'),
    JSON.stringify({ schemaVersion: 2, mediaType: MANIFEST, config, layers: blobs }),
  );
  writeFileSync(join(directory, 'version'), 'Directory Transport Version: 1.1\n');
  await skopeoCopy(storage, `dir:${directory}`, name ? `containers-storage:${name}` : stored(hex));
  return digest;
};

/** One more layer on a base. `file` is an uncompressed tar inside `directory`, a scratch directory. */
export const storeImage = async (
  storage: Storage,
  request: {
    readonly directory: string;
    readonly base?: Entry;
    readonly layer?: Layer & { readonly file: string };
    /** everything but `rootfs` */
    readonly config: StoredConfig;
    readonly name: string;
  },
): Promise<string> => {
  const { directory, layer, base, name } = request;
  const layers = [...layersOf(base), ...(layer ? [{ digest: layer.digest, size: layer.size }] : [])];
  if (layer) renameSync(layer.file, layerFile(directory, layer));
  const diffIds = layers.map(({ digest }) => digest);
  return storeLayers(storage, directory, { text: configText(request.config, diffIds), layers, name });
};
