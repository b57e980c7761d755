/** `docker import`: a root file system's tar as an image of one layer. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { applyChanges } from '../builder/apply.js';
import { invalid } from '../errors.js';
import { decompressed } from '../files/decompress.js';
import { storeImage } from './assemble.js';
import { ChildError, runChild } from './child.js';
import { sha256OfFile } from './layer.js';
import { fullText, parseReference, withDefaultTag } from './reference.js';
import { inScratch, spool } from './spool.js';
import type { Storage } from './storage.js';
import { contentFailure } from './tools.js';

/** Go's names, as every image's configuration has them. */
export const ARCHITECTURE = process.arch === 'x64' ? 'amd64' : process.arch;

/** Refuses what is no tar before the storage is asked to take it. */
const checkTar = async (file: string): Promise<void> => {
  try {
    await runChild({ command: 'tar', args: ['-tf', file], onLine: () => {} });
  } catch (error) {
    throw error instanceof ChildError ? invalid('invalid tar header', error) : error;
  }
};

/** Answers the id. Throws invalid for a bad reference, change or tar. */
export const importImage = (
  storage: Storage,
  tar: Readable,
  reference: string,
  changes: readonly string[],
  message: string,
): Promise<string> => {
  const name = reference && fullText(withDefaultTag(parseReference(reference)));
  const config = applyChanges({}, changes);
  return inScratch(storage, async (directory) => {
    const layer = join(directory, 'layer.tar');
    await spool(await decompressed(tar), layer);
    await checkTar(layer);
    const { size } = statSync(layer);
    const created = new Date().toISOString();
    const comment = message || 'Imported from -';
    const history = [{ created, comment }];
    const stored = { architecture: ARCHITECTURE, os: 'linux', created, comment, config, history };
    return storeImage(storage, {
      directory,
      layer: { file: layer, digest: await sha256OfFile(layer), size },
      config: stored,
      name,
    }).catch((error: unknown) => {
      throw contentFailure(storage, 'cannot import the image', size, error);
    });
  });
};
