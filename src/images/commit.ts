/** `docker commit`: a container's writable layer on top of its image's layers, as a new image. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { ImageConfig } from '../model/image.js';
import { storeImage } from './assemble.js';
import type { Entry } from './catalogue.js';
import { layerListing } from './changes.js';
import { runChild } from './child.js';
import type { StoredConfig } from './config.js';
import { applyDirectives } from './directives.js';
import { fullText, parseReference, withDefaultTag } from './reference.js';
import { inScratch } from './spool.js';
import type { Storage } from './storage.js';
import { toolFailure } from './tools.js';

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

/** The upper directory as a layer's tar, deletions as marker files. GNU tar keeps hard links and sparse files. */
const packLayer = async (upper: string, scratch: string, file: string): Promise<void> => {
  const { paths, markers } = layerListing(upper);
  const at = (name: string) => join(scratch, name);
  for (const marker of markers) {
    mkdirSync(dirname(at(`markers/${marker}`)), { recursive: true });
    writeFileSync(at(`markers/${marker}`), '');
  }
  mkdirSync(at('markers'), { recursive: true });
  writeFileSync(at('paths'), list(paths));
  writeFileSync(at('marks'), list(markers));
  const from = ['-C', upper, '-T', at('paths'), '-C', at('markers'), '-T', at('marks')];
  await runChild({ command: 'tar', args: ['-cf', file, ...TAR, ...from], env: { LC_ALL: 'C' } });
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
  const config = applyDirectives({ ...baseConfig.config, ...request.config }, request.changes);
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
    await packLayer(request.upper, directory, layer);
    return storeImage(storage, { directory, base, layer, config: stored, name });
  }).catch((error: unknown) => {
    throw toolFailure('cannot commit the container', error);
  });
};
