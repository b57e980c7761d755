/**
 * Images under construction: what a build stands on between two of its steps. A step without files costs a digest and a small
 * file, one with files a tar beside it; the storage is written (by skopeo, 0.1 s and more) where a stage ends, not at
 * every step. Invariants: a draft is known by its id to those who mount and look up, and is in no list; its directories are
 * gone when the build is closed; what the storage has of it stays while the build goes on.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, linkSync, mkdirSync, renameSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { internal } from '../errors.js';
import type { Image } from '../model/image.js';
import { configText, idOfText, layerFile, layersOf, storeLayers } from './assemble.js';
import { type BuildCache, cacheKey } from './build-cache.js';
import { type Catalogue, type Entry, isPrefix, storedConfig } from './catalogue.js';
import { imageOf, type StoredConfig, type StoredHistory } from './config.js';
import type { BuildStep, Drafts } from './contract.js';
import { ARCHITECTURE } from './import.js';
import { type Layer, packLayer } from './layer.js';
import type { Roots } from './roots.js';
import { freshScratch } from './spool.js';
import type { Storage } from './storage.js';
import { buildah, toolFailure } from './tools.js';
import { type Base, layerDirectories, writableOf } from './writable.js';

/** A layer that is not in the storage yet. */
interface Fresh extends Layer {
  /** the former upper directory */
  readonly directory: string;
  readonly tar: string;
}

export interface Draft {
  readonly image: Image;
  /** by which the image has its id */
  readonly text: string;
  /** of the storage, base first */
  readonly layers: readonly string[];
  readonly storedLayers: readonly Layer[];
  readonly fresh: readonly Fresh[];
}

/** One mount's options have room for about so many paths of ours beside an image's own layers. */
const MOST_FRESH = 12;

/** Begins the names of roots that steps write in without being containers. */
export const STEP_PREFIX = 'build-step-';

interface Room {
  readonly storage: Storage;
  readonly catalogue: () => Catalogue;
  readonly cache: BuildCache;
  readonly inTurn: <T>(work: () => Promise<T>) => Promise<T>;
  readonly roots: Roots;
  readonly signal: AbortSignal;
}

export interface OpenDrafts extends Drafts {
  find(id: string): Draft | undefined;
  /** An image of the storage that the build stands on. */
  holds(imageId: string): boolean;
}

export const baseOf = ({ image, layers, fresh }: Draft): Base => ({
  image,
  layers,
  fresh: fresh.map(({ directory }) => directory),
});

const allLayers = ({ storedLayers, fresh }: Draft): readonly Layer[] => [
  ...storedLayers,
  ...fresh.map(({ digest, size }) => ({ digest, size })),
];

/** An image of the storage whose lowest layers are these. */
const holderOf = (catalogue: Catalogue, diffIds: readonly string[]): Entry | undefined =>
  catalogue.entries.find(({ image }) => isPrefix(diffIds, image.diffIds));

const historyOf = (text: string): readonly StoredHistory[] =>
  (JSON.parse(text) as StoredConfig).history ?? [];

const createdBy = ({ words }: BuildStep): string => words.join(' ');

const same = (a: StoredHistory, b: StoredHistory | undefined): boolean =>
  a.created === b?.created && a.created_by === b?.created_by && a.empty_layer === b?.empty_layer;

const beginsWith = (history: readonly StoredHistory[], beginning: readonly StoredHistory[]): boolean =>
  beginning.length <= history.length && beginning.every((entry, index) => same(entry, history[index]));

/** Of a configuration that somebody else wrote, what is the image's own. */
const inherited = ({ architecture, os, variant }: StoredConfig): StoredConfig => ({
  architecture: architecture || ARCHITECTURE,
  os: os || 'linux',
  ...(variant ? { variant } : {}),
});

export const openDrafts = ({ storage, catalogue, cache, inTurn, roots, signal }: Room): OpenDrafts => {
  const directory = freshScratch(storage);
  const drafts = new Map<string, Draft>();
  const held = new Set<string>();
  let count = 0;

  const need = (image: Image): Draft => {
    const draft = drafts.get(image.id);
    if (!draft) throw internal(`image ${image.id} is no draft of this build`);
    return draft;
  };

  const add = (text: string, parts: Pick<Draft, 'layers' | 'storedLayers' | 'fresh'>): Draft => {
    const id = idOfText(text);
    const layerSizes = [...parts.storedLayers, ...parts.fresh].map(({ size }) => size);
    const draft = {
      ...parts,
      text,
      image: imageOf({ id, config: text, names: [], digests: [], layerSizes }),
    };
    drafts.set(id, draft);
    return draft;
  };

  /** The lowest layers of an entry, as many as the configuration names. */
  const fromStorage = (text: string, holder: Entry, count: number): Draft => {
    held.add(holder.image.id);
    return add(text, {
      layers: holder.layers.slice(0, count),
      storedLayers: layersOf(holder).slice(0, count),
      fresh: [],
    });
  };

  /** A step's image whose layers are here already, with one layer more than its parent at most. */
  const withLayersOf = (text: string, parent: Draft): Draft | undefined => {
    const { rootfs } = JSON.parse(text) as StoredConfig;
    const diffIds = rootfs?.diff_ids ?? [];
    if (diffIds.length === allLayers(parent).length)
      return add(text, { layers: parent.layers, storedLayers: parent.storedLayers, fresh: parent.fresh });
    const holder = holderOf(catalogue(), diffIds);
    return holder && fromStorage(text, holder, diffIds.length);
  };

  const pack = async (upper: string, parent: Draft): Promise<Fresh | undefined> => {
    const tar = join(directory, `tar-${count++}`);
    const lower = layerDirectories(storage, baseOf(parent));
    const layer = await packLayer(upper, lower, { file: tar, signal });
    return layer && { ...layer, directory: upper, tar };
  };

  /** Out of the container's directory, so that the container can be removed. */
  const take = (upper: string): string => {
    const taken = join(directory, `layer-${count++}`);
    renameSync(upper, taken);
    return taken;
  };

  const childText = (parent: Draft, step: BuildStep, layer: Layer | undefined): string => {
    const before = JSON.parse(parent.text) as StoredConfig;
    const created = new Date().toISOString();
    const author = step.author ? { author: step.author } : {};
    const entry = {
      created,
      created_by: createdBy(step),
      ...author,
      ...(layer ? {} : { empty_layer: true }),
    };
    const history = [...(before.history ?? []), entry];
    const config = { ...inherited(before), created, ...author, config: step.config, history };
    return configText(
      config,
      [...allLayers(parent), ...(layer ? [layer] : [])].map(({ digest }) => digest),
    );
  };

  /** The next image on a source's own way, where the source was made by the same step on the same parent. */
  const onTheWayOf = (source: Entry, parent: Draft, step: BuildStep): Draft | undefined => {
    const config = storedConfig(storage, source);
    const history = config.history ?? [];
    const before = historyOf(parent.text);
    const next = history[before.length];
    const diffIds = parent.image.diffIds;
    if (!beginsWith(history, before) || !isPrefix(diffIds, source.image.diffIds)) return undefined;
    if (next?.created_by !== createdBy(step)) return undefined;
    const layers = diffIds.length + (next.empty_layer ? 0 : 1);
    if (history.length === before.length + 1) return begin(source);
    const text = configText(
      {
        ...inherited(config),
        ...(next.created ? { created: next.created } : {}),
        config: step.config,
        history: [...before, next],
      },
      source.image.diffIds.slice(0, layers),
    );
    return fromStorage(text, source, layers);
  };

  const begin = (entry: Entry): Draft => {
    held.add(entry.image.id);
    const draft = {
      image: entry.image,
      text: JSON.stringify(storedConfig(storage, entry)),
      layers: entry.layers,
      storedLayers: layersOf(entry),
      fresh: [],
    };
    drafts.set(entry.image.id, draft);
    return draft;
  };

  const isOnTheWay = (draft: Draft, source: Entry): boolean =>
    beginsWith(storedConfig(storage, source).history ?? [], historyOf(draft.text)) &&
    isPrefix(draft.image.diffIds, source.image.diffIds);

  const write = async (draft: Draft, name: string): Promise<void> => {
    const into = join(directory, `store-${count++}`);
    mkdirSync(into);
    for (const layer of draft.fresh) linkSync(layer.tar, layerFile(into, layer));
    await storeLayers(storage, into, { text: draft.text, layers: allLayers(draft), name });
    await rm(into, { recursive: true, force: true });
    const entry = catalogue().byId.get(draft.image.id);
    if (!entry) throw internal(`${draft.image.id} was stored but is not in the storage`);
    begin(entry);
  };

  const store = async (image: Image, names: readonly string[]): Promise<void> => {
    const draft = need(image);
    const there = catalogue().byId.get(image.id);
    const [first = '', ...others] = names;
    if (!there) await write(draft, first);
    const tags = there ? names : others;
    const entry = catalogue().byId.get(image.id);
    if (entry && tags.length > 0) await buildah(storage, ['tag', entry.storeId, ...tags]);
  };

  const storing = (image: Image, names: readonly string[]): Promise<void> =>
    inTurn(() => store(image, names)).catch((error: unknown) => {
      throw toolFailure('cannot store the image', error);
    });

  return {
    begin(image) {
      const entry = image && catalogue().byId.get(image.id);
      if (image && !entry) throw internal(`${image.id} is not in the storage`);
      if (entry) return begin(entry).image;
      return add(configText(inherited({}), []), { layers: [], storedLayers: [], fresh: [] }).image;
    },
    cached(parent, step, sources) {
      const text = cache.read(cacheKey(parent.id, step));
      const local = text === undefined ? undefined : withLayersOf(text, need(parent));
      if (!sources) return local?.image;
      const entries = sources.flatMap((image) => catalogue().byId.get(image.id) ?? []);
      if (local && entries.some((source) => isOnTheWay(local, source))) return local.image;
      for (const source of entries) {
        const found = onTheWayOf(source, need(parent), step);
        if (found) return found.image;
      }
      return undefined;
    },
    scratch() {
      const made = join(directory, `scratch-${count++}`);
      mkdirSync(made, { mode: 0o700 });
      return made;
    },
    async open(image) {
      const id = STEP_PREFIX + randomBytes(8).toString('hex');
      return { id, root: await roots.mount(id, baseOf(need(image))) };
    },
    discard: roots.discard,
    async child(parent, step, written) {
      const draft = need(parent);
      const { upper = '' } = written ? writableOf(storage, written.containerId) : {};
      if (written) await roots.unmount(written.containerId);
      const layer = existsSync(upper) ? await pack(written?.stays ? upper : take(upper), draft) : undefined;
      const text = childText(draft, step, layer);
      const { layers, storedLayers, fresh } = draft;
      const made = add(text, { layers, storedLayers, fresh: layer ? [...fresh, layer] : fresh });
      cache.write(cacheKey(parent.id, step), text);
      if (made.fresh.length > MOST_FRESH || (layer && written?.stays)) await storing(made.image, []);
      return made.image;
    },
    store: storing,
    keep: async (image) => {
      if (need(image).fresh.length > 0) await storing(image, []);
    },
    find: (id) => drafts.get(id),
    holds: (imageId) => held.has(imageId),
    async close() {
      drafts.clear();
      held.clear();
      await rm(directory, { recursive: true, force: true });
      cache.trim();
    },
  };
};
