/** `docker commit`: a container's writable layer on top of its image's layers, as a new image. */
import { join } from 'node:path';
import { applyChanges } from '../builder/apply.js';
import type { ImageConfig } from '../model/image.js';
import { storeImage } from './assemble.js';
import type { Entry } from './catalogue.js';
import type { StoredConfig } from './config.js';
import { packLayer } from './layer.js';
import { fullText, parseReference, withDefaultTag } from './reference.js';
import { inScratch } from './spool.js';
import type { Storage } from './storage.js';
import { toolFailure } from './tools.js';
import { layerDirectories } from './writable.js';

const withEmptyStep = (config: StoredConfig): StoredConfig => {
  const history = config.history ?? [];
  return {
    ...config,
    history: history.map((h, i) => (i + 1 < history.length ? h : { ...h, empty_layer: true })),
  };
};

/** Answers the id. Throws invalid for a bad reference or change. */
export const commitLayer = (
  storage: Storage,
  request: {
    readonly upper: string;
    readonly base: Entry;
    readonly baseConfig: StoredConfig;
    readonly reference: string;
    readonly comment: string;
    readonly author: string;
    readonly config: Partial<ImageConfig>;
    readonly changes: readonly string[];
  },
): Promise<string> => {
  const { base, baseConfig, comment, author } = request;
  const name = request.reference && fullText(withDefaultTag(parseReference(request.reference)));
  const config = applyChanges({ ...baseConfig.config, ...request.config }, request.changes);
  const created = new Date().toISOString();
  const step = { created, created_by: (config.Cmd ?? []).join(' '), author, comment };
  const stored = {
    ...baseConfig,
    created,
    author,
    comment,
    config,
    history: [...(baseConfig.history ?? []), step],
  };
  return inScratch(storage, async (directory) => {
    const layer = join(directory, 'layer.tar');
    const packed = await packLayer(request.upper, layerDirectories(storage, base), { file: layer });
    // what changed nothing is an entry of the history without a layer
    const config = packed ? stored : withEmptyStep(stored);
    return storeImage(storage, {
      directory,
      base,
      config,
      name,
      ...(packed ? { layer: { ...packed, file: layer } } : {}),
    });
  }).catch((error: unknown) => {
    throw toolFailure('cannot commit the container', error);
  });
};
