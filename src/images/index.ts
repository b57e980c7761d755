/**
 * Images, wired: one storage, one catalogue, one queue of writers. Reading is synchronous, and neither it nor mounting starts a
 * process. Invariant: short writers (load, tag, remove, prune, import, commit) run one after the other.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { invalid, notFound } from '../errors.js';
import { bytesBelow } from '../files/size.js';
import { createTrash } from '../kernel/trash.js';
import { openBuildCache } from './build-cache.js';
import { type Catalogue, catalogueOf, type Entry, storedConfig } from './catalogue.js';
import { changesIn } from './changes.js';
import { commitLayer } from './commit.js';
import type { Images } from './contract.js';
import { baseOf as draftBase, type OpenDrafts, openDrafts, STEP_PREFIX } from './drafts.js';
import { importImage } from './import.js';
import { loadImages } from './load.js';
import { findImage, resolveImage } from './lookup.js';
import { createQueue } from './queue.js';
import { familiarText, fullText, parseReference, withDefaultTag } from './reference.js';
import { pullImage, pushImage } from './registry.js';
import { inspectRemote } from './remote.js';
import { pruneImages, removeImage } from './remove.js';
import { openRoots, type Roots } from './roots.js';
import { saveImages } from './save.js';
import { emptyScratch } from './spool.js';
import { openStorage, type RegistrySettings, type Storage } from './storage.js';
import { buildah, toolFailure } from './tools.js';
import { type Base, layerDirectories, writableOf, writtenLayer } from './writable.js';

export interface ImagesOptions extends RegistrySettings {
  /** absolute; without colons, commas, backslashes, quotes and spaces */
  readonly dataRoot: string;
  readonly execRoot: string;
}

/** Mounts of builds' steps that a crash cut off. */
const removeSteps = async (storage: Storage, roots: Roots): Promise<void> => {
  for (const name of readdirSync(storage.writable))
    if (name.startsWith(STEP_PREFIX)) await roots.discard(name);
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

/** Stands for a build among the containers that use an image. */
const BUILD = 'build-under-way';

export const createImages = (options: ImagesOptions): Images => {
  const storage = openStorage(options.dataRoot, options.execRoot, options);
  const catalogue = catalogueOf(storage);
  const trash = createTrash();
  const roots = openRoots(storage, trash);
  const writers = createQueue();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => writers('storage', work);
  const cache = openBuildCache(storage.buildCache);
  const builds = new Set<OpenDrafts>();
  const entryOf = (imageId: string): Entry => {
    const entry = catalogue().byId.get(imageId);
    if (!entry) throw notFound(`No such image: ${imageId}`);
    return entry;
  };
  const draftOf = (id: string) => [...builds].flatMap((build) => build.find(id) ?? [])[0];
  const standsOn = (imageId: string): Base => {
    const draft = draftOf(imageId);
    return draft ? draftBase(draft) : entryOf(imageId);
  };
  const baseOf = (containerId: string): Base =>
    standsOn(readFileSync(writableOf(storage, containerId).image, 'utf8'));
  /** A build that is under way uses an image as a container does. */
  const withBuilds = (usedBy: (imageId: string) => readonly string[]) => (imageId: string) =>
    [...builds].some((build) => build.holds(imageId)) ? [...usedBy(imageId), BUILD] : usedBy(imageId);
  return {
    open: async () => {
      emptyScratch(storage, trash);
      trash.sweep(storage.writable);
      await removeSteps(storage, roots);
      await removeBuildLeftovers(storage);
      catalogue();
    },
    list: () => catalogue().entries.flatMap((entry) => (entry.intermediate ? [] : [entry.image])),
    get: (reference) => draftOf(reference)?.image ?? resolveImage(catalogue(), reference).image,
    find: (reference) => draftOf(reference)?.image ?? findImage(catalogue(), reference)?.image,
    finder: () => {
      const now = catalogue();
      return (reference) => findImage(now, reference)?.image;
    },
    remote: (reference, auth, signal) => inspectRemote(storage, reference, auth, signal),
    pull: (reference, auth, progress, signal) =>
      pullImage(storage, catalogue, reference, auth, progress, signal),
    push: (reference, auth, progress, signal) =>
      pushImage(storage, catalogue, reference, auth, progress, signal),
    load: (tar, progress, client) =>
      inTurn(() => loadImages({ ...storage, client }, catalogue, tar, progress)),
    save: (references) => saveImages(storage, catalogue(), references),
    import: (tar, reference, changes, message, client) =>
      inTurn(() => importImage({ ...storage, client }, tar, reference, changes, message)),
    tag: (reference, target) => inTurn(() => tagImage(storage, catalogue(), reference, target)),
    remove: (reference, { force }, usedBy, isRunning = () => true) =>
      inTurn(() => removeImage(storage, catalogue, reference, force, { of: withBuilds(usedBy), isRunning })),
    prune: (all, used) => {
      const held = catalogue().entries.flatMap(({ image }) =>
        withBuilds(() => [])(image.id).length > 0 ? [image.id] : [],
      );
      return inTurn(() => pruneImages(storage, catalogue, all, new Set([...used, ...held])));
    },
    drafts(signal) {
      const opened = openDrafts({ storage, catalogue, cache, inTurn, roots, signal });
      builds.add(opened);
      const close = async () => {
        builds.delete(opened);
        await opened.close();
      };
      return { ...opened, close };
    },
    familiarName: (name) => familiarText(parseReference(name)),
    fullName: (reference) => fullText(withDefaultTag(parseReference(reference))),
    clearBuildCache: () => cache.clear(),
    commit: ({ containerId, image, ...request }) => {
      const base = entryOf(image.id);
      const upper = writtenLayer(storage, containerId);
      return inTurn(() =>
        commitLayer(storage, { ...request, upper, base, baseConfig: storedConfig(storage, base) }),
      );
    },
    mount: async (containerId, imageId) => roots.mount(containerId, standsOn(imageId)),
    unmount: roots.unmount,
    discard: roots.discard,
    mounted: roots.mounted,
    changes: async (containerId) => {
      const { upper } = writableOf(storage, containerId);
      return existsSync(upper) ? changesIn(upper, layerDirectories(storage, baseOf(containerId))) : [];
    },
    writtenBytes: async (containerId) => (await bytesBelow(writableOf(storage, containerId).upper)) ?? 0,
    close: async () => {
      await roots.settled();
      await trash.close();
    },
  };
};
