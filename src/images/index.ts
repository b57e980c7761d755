/**
 * Images, wired: one storage, one catalogue, one queue of writers. Reading and mounting are synchronous and start no
 * process. Invariant: short writers (load, tag, remove, prune, import, commit) run one after the other.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { invalid, notFound } from '../errors.js';
import { createLeaving } from '../kernel/leaving.js';
import { buildImage } from './build.js';
import { type Catalogue, catalogueOf, type Entry, storedConfig } from './catalogue.js';
import { bytesIn, changesIn } from './changes.js';
import { commitLayer } from './commit.js';
import type { Images } from './contract.js';
import { importImage } from './import.js';
import { loadImages } from './load.js';
import { findImage, resolveImage } from './lookup.js';
import { fullText, parseReference, withDefaultTag } from './reference.js';
import { pullImage, pushImage } from './registry.js';
import { pruneImages, removeImage } from './remove.js';
import { saveImages } from './save.js';
import { emptyScratch } from './spool.js';
import { openStorage, type RegistrySettings, type Storage } from './storage.js';
import { buildah, toolFailure } from './tools.js';
import {
  discardWritable,
  layerDirectories,
  mountWritable,
  unmountWritable,
  writableOf,
  writtenLayer,
} from './writable.js';

export interface ImagesOptions extends RegistrySettings {
  /** absolute; without colons, commas, backslashes, quotes and spaces */
  readonly dataRoot: string;
  readonly execRoot: string;
}

/** One writer at a time, in the order of asking; a failed one does not stop the next. */
const queue = (): (<T>(work: () => Promise<T>) => Promise<T>) => {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const turn = last.then(work, work);
    last = turn.catch(() => {});
    return turn;
  };
};

/** Working containers of builds that a crash or an abort cut off; each holds a layer. */
const removeBuildLeftovers = async (storage: Storage): Promise<void> => {
  const file = join(storage.graph, 'overlay-containers/containers.json');
  if (existsSync(file) && readFileSync(file, 'utf8').trim().length > '[]'.length)
    await buildah(storage, ['rm', '--all']);
};

const tagImage = async (
  storage: Storage,
  catalogue: Catalogue,
  reference: string,
  target: string,
): Promise<void> => {
  const entry = resolveImage(catalogue, reference);
  const wanted = parseReference(target);
  if (wanted.digest) throw invalid('refusing to create a tag with a digest reference');
  const name = fullText(withDefaultTag(wanted));
  await buildah(storage, ['tag', entry.storeId, name]).catch((error: unknown) => {
    throw toolFailure(`cannot tag ${reference}`, error);
  });
};

export const createImages = (options: ImagesOptions): Images => {
  const storage = openStorage(options.dataRoot, options.execRoot, options);
  const catalogue = catalogueOf(storage);
  const leaving = createLeaving();
  const inTurn = queue();
  const entryOf = (imageId: string): Entry => {
    const entry = catalogue().byId.get(imageId);
    if (!entry) throw notFound(`No such image: ${imageId}`);
    return entry;
  };
  const baseOf = (containerId: string): Entry =>
    entryOf(readFileSync(writableOf(storage, containerId).image, 'utf8'));
  return {
    open: async () => {
      emptyScratch(storage);
      leaving.sweep(storage.writable);
      await removeBuildLeftovers(storage);
      catalogue();
    },
    list: () => catalogue().entries.flatMap((entry) => (entry.intermediate ? [] : [entry.image])),
    get: (reference) => resolveImage(catalogue(), reference).image,
    find: (reference) => findImage(catalogue(), reference)?.image,
    finder: () => {
      const now = catalogue();
      return (reference) => findImage(now, reference)?.image;
    },
    pull: (reference, auth, progress, signal) =>
      pullImage(storage, catalogue, reference, auth, progress, signal),
    push: (reference, auth, progress, signal) =>
      pushImage(storage, catalogue, reference, auth, progress, signal),
    load: (tar, progress) => inTurn(() => loadImages(storage, catalogue, tar, progress)),
    save: (references) => saveImages(storage, catalogue(), references),
    import: (tar, reference, changes, message) =>
      inTurn(() => importImage(storage, tar, reference, changes, message)),
    tag: (reference, target) => inTurn(() => tagImage(storage, catalogue(), reference, target)),
    remove: (reference, { force }, usedBy, isRunning = () => true) =>
      inTurn(() => removeImage(storage, catalogue, reference, force, { of: usedBy, isRunning })),
    prune: (all, used) => inTurn(() => pruneImages(storage, catalogue, all, used)),
    build: (request, progress, signal) => buildImage(storage, request, progress, signal),
    commit: ({ containerId, image, ...request }) => {
      const base = entryOf(image.id);
      const upper = writtenLayer(storage, containerId);
      return inTurn(() =>
        commitLayer(storage, { ...request, upper, base, baseConfig: storedConfig(storage, base) }),
      );
    },
    mount: (containerId, imageId) => mountWritable(storage, containerId, entryOf(imageId)),
    unmount: (containerId) => unmountWritable(storage, containerId),
    discard: (containerId) => discardWritable(storage, containerId, leaving),
    changes: (containerId) => {
      const { upper } = writableOf(storage, containerId);
      return existsSync(upper) ? changesIn(upper, layerDirectories(storage, baseOf(containerId))) : [];
    },
    writtenBytes: (containerId) => {
      const { upper } = writableOf(storage, containerId);
      return existsSync(upper) ? bytesIn(upper) : 0;
    },
    close: leaving.close,
  };
};
