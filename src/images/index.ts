/**
 * Images, wired: one storage, one catalogue, one queue of writers. Reading and mounting are synchronous and start no
 * process. Invariant: short writers (load, tag, remove, prune, import, commit) run one after the other.
 */
import { readdirSync } from 'node:fs';
import { notFound } from '../errors.js';
import { catalogueOf } from './catalogue.js';
import type { Images } from './contract.js';
import { loadImages } from './load.js';
import { findImage, resolveImage } from './lookup.js';
import { emptyScratch } from './spool.js';
import { openStorage, type RegistrySettings } from './storage.js';
import { discardWritable, emptyTrash, mountWritable, unmountWritable } from './writable.js';

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

export const createImages = (
  options: ImagesOptions,
): Pick<Images, 'open' | 'list' | 'get' | 'find' | 'load' | 'mount' | 'unmount' | 'discard'> => {
  const storage = openStorage(options.dataRoot, options.execRoot, options);
  const catalogue = catalogueOf(storage);
  const inTurn = queue();
  return {
    open: async () => {
      emptyScratch(storage);
      emptyTrash(storage, readdirSync(storage.writable));
      catalogue();
    },
    list: () => catalogue().entries.map((entry) => entry.image),
    get: (reference) => resolveImage(catalogue(), reference).image,
    find: (reference) => findImage(catalogue(), reference)?.image,
    load: (tar, progress) => inTurn(() => loadImages(storage, catalogue, tar, progress)),
    mount: (containerId, imageId) => {
      const entry = catalogue().byId.get(imageId);
      if (!entry) throw notFound(`No such image: ${imageId}`);
      return mountWritable(storage, containerId, entry);
    },
    unmount: (containerId) => unmountWritable(storage, containerId),
    discard: (containerId) => discardWritable(storage, containerId),
  };
};
