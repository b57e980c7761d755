/**
 * The store's own records as plain data: which images there are, their names, configurations and layer chains. Read
 * straight from containers-storage's files (0.1 ms an image, once, since an image is named by its digest), so that listing,
 * looking up and mounting start no process. Invariant: an entry's id is the digest of its configuration, as Docker's.
 */

import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { ifThere } from '../errno.js';
import type { Image } from '../model/image.js';
import { textIfThere } from '../small-files.js';
import { imageOf, type StoredConfig } from './config.js';
import { type Digests, readDigests } from './digests.js';
import type { Storage } from './storage.js';

/** An image with what mounting and saving need. */
export interface Entry {
  readonly image: Image;
  /** containers-storage's id: 64 digits */
  readonly storeId: string;
  /** full names, `docker.io/library/busybox:latest` */
  readonly names: readonly string[];
  /** full names with digest, `docker.io/library/busybox@sha256:…` */
  readonly digests: readonly string[];
  /** layer ids, base first */
  readonly layers: readonly string[];
  /** bytes of each layer's tar, in the same order */
  readonly layerSizes: readonly number[];
  /** it has the hidden name that keeps it for a container */
  readonly kept: boolean;
  /** a nameless step of another image's build: cache, not shown */
  readonly intermediate: boolean;
  /** digest of the manifest in the store */
  readonly manifestDigest: string;
}

export interface Catalogue {
  readonly entries: readonly Entry[];
  /** by `sha256:…` */
  readonly byId: ReadonlyMap<string, Entry>;
  /** by full name with tag, or full name with digest */
  readonly byName: ReadonlyMap<string, Entry>;
  /** Also by names that are not shown (`name@digest` of a pull by digest). */
  idOfStoredName(name: string): string | undefined;
  /** Images whose build the entry's own build began with, nearest last. */
  ancestors(entry: Entry): readonly Entry[];
}

interface StoredImage {
  readonly id: string;
  readonly digest?: string;
  readonly names?: readonly string[];
  readonly layer?: string;
}

interface StoredLayer {
  readonly id: string;
  readonly parent?: string;
  readonly 'diff-size'?: number;
}

/** Names under this prefix keep an image that lost its last name while a container needs its layers. */
export const KEPT = 'viaduct.invalid/kept';

/** The store's own format; each field is checked where it is used. */
const readList = <T>(storage: Storage, file: string): readonly T[] =>
  JSON.parse(textIfThere(join(storage.graph, file)) ?? '[]') as T[];

/** File of a big-data item: plain where the key needs no escaping, else `=` and base64. */
const bigDataFile = (key: string): string =>
  /^[a-z0-9.]+$/.test(key) ? key : `=${Buffer.from(key).toString('base64')}`;

const bigData = (storage: Storage, imageId: string, key: string): string =>
  readFileSync(join(storage.graph, 'overlay-images', imageId, bigDataFile(key)), 'utf8');

/** Layers from the base up to `top`. */
const chain = (layers: ReadonlyMap<string, StoredLayer>, top: string | undefined): readonly StoredLayer[] => {
  const found: StoredLayer[] = [];
  for (let id = top; id; ) {
    const layer = layers.get(id);
    if (!layer) break;
    found.unshift(layer);
    id = layer.parent;
  }
  return found;
};

const digestsOf = (digests: Digests, id: string): readonly string[] =>
  Object.keys(digests).filter((name) => digests[name] === id);

/** What is read of an image once: everything in it is named by digests. */
interface Text {
  /** digest of the configuration */
  readonly id: string;
  readonly config: string;
}

/** Undefined for a manifest list or schema 1 (nothing to run), and while another process is still writing the image. */
const readText = (storage: Storage, storeId: string): Text | undefined =>
  ifThere(() => {
    const manifest = JSON.parse(bigData(storage, storeId, 'manifest')) as { config?: { digest?: string } };
    const id = manifest.config?.digest;
    return id === undefined ? undefined : { id, config: bigData(storage, storeId, id) };
  });

type Texts = ReadonlyMap<string, Text>;

const entryOf = (
  stored: StoredImage,
  { id, config }: Text,
  layers: ReadonlyMap<string, StoredLayer>,
  digests: Digests,
): Entry => {
  const own = chain(layers, stored.layer);
  const names = (stored.names ?? []).filter((name) => !name.startsWith(`${KEPT}:`) && !name.includes('@'));
  const layerSizes = own.map((layer) => Math.max(0, layer['diff-size'] ?? 0));
  const known = digestsOf(digests, id);
  return {
    image: imageOf({ id, config, names, digests: known, layerSizes }),
    storeId: stored.id,
    names,
    digests: known,
    layers: own.map((layer) => layer.id),
    layerSizes,
    manifestDigest: stored.digest ?? '',
    kept: stored.names?.some((name) => name.startsWith(`${KEPT}:`)) ?? false,
    intermediate: false,
  };
};

/** One key for each beginning of an image's history, the shortest first, the whole last. */
const historyKeys = ({ image }: Entry): readonly string[] => {
  const keys: string[] = [];
  for (const { createdAt, createdBy, comment } of image.history)
    keys.push(
      createHash('sha256')
        .update(JSON.stringify([keys.at(-1), createdAt, createdBy, comment]))
        .digest('hex'),
    );
  return keys;
};

/** Does the longer list begin with the shorter one? */
export const isPrefix = (short: readonly string[], long: readonly string[]): boolean =>
  short.length <= long.length && short.every((item, index) => item === long[index]);

/** Answers for each entry the others that its history and layers begin with. */
const descent = (entries: readonly Entry[]): ReadonlyMap<Entry, readonly Entry[]> => {
  const whole = new Map(entries.map((entry) => [historyKeys(entry).at(-1), entry]));
  const above = (entry: Entry) =>
    historyKeys(entry)
      .slice(0, -1)
      .flatMap((key) => whole.get(key) ?? [])
      .filter((other) => isPrefix(other.image.diffIds, entry.image.diffIds));
  return new Map(entries.map((entry) => [entry, above(entry)]));
};

const read = (storage: Storage, known: Texts): { readonly catalogue: Catalogue; readonly texts: Texts } => {
  const images = readList<StoredImage>(storage, 'overlay-images/images.json');
  const stored = readList<StoredLayer>(storage, 'overlay-layers/layers.json');
  const layers = new Map(stored.map((layer) => [layer.id, layer]));
  const digests = readDigests(storage);
  const texts = new Map<string, Text>();
  for (const { id } of images) {
    const text = known.get(id) ?? readText(storage, id);
    if (text) texts.set(id, text);
  }
  const found = images.flatMap((image) => {
    const text = texts.get(image.id);
    return text ? [entryOf(image, text, layers, digests)] : [];
  });
  const lines = descent(found);
  const parents = new Set([...lines.values()].flat());
  const nameless = (entry: Entry) => entry.names.length + entry.digests.length === 0;
  const entries = found.map((entry) =>
    nameless(entry) && parents.has(entry) ? { ...entry, intermediate: true } : entry,
  );
  const byName = new Map<string, Entry>();
  for (const entry of entries) for (const name of entry.names) byName.set(name, entry);
  const byId = new Map(entries.map((entry) => [entry.image.id, entry]));
  for (const [name, id] of Object.entries(digests)) {
    const entry = byId.get(id);
    if (entry) byName.set(name, entry);
  }
  const ancestorIds = new Map(
    [...lines].map(([entry, above]) => [entry.storeId, above.map((a) => a.image.id)]),
  );
  const ancestors = (entry: Entry) =>
    (ancestorIds.get(entry.storeId) ?? []).flatMap((id) => byId.get(id) ?? []);
  const idOfStoredName = (name: string) => {
    const storeId = images.find((image) => image.names?.includes(name))?.id;
    return entries.find((entry) => entry.storeId === storeId)?.image.id;
  };
  return { catalogue: { entries, byId, byName, ancestors, idOfStoredName }, texts };
};

/** Inode, size and time of each file that decides the answer: containers-storage replaces its files whole. */
const stamp = (storage: Storage): string =>
  ['overlay-images/images.json', 'overlay-layers/layers.json', storage.digests]
    .map((path) =>
      statSync(path.startsWith('/') ? path : join(storage.graph, path), { throwIfNoEntry: false }),
    )
    .map((s) => (s ? `${s.ino}:${s.size}:${s.mtimeMs}` : '-'))
    .join(' ');

/** The configuration as stored, with the fields that the model leaves out. */
export const storedConfig = (storage: Storage, entry: Entry): StoredConfig =>
  JSON.parse(bigData(storage, entry.storeId, entry.image.id)) as StoredConfig;

/** Answers the catalogue as it is now; rereads only after a change on disk (three stats, 10 µs, otherwise). */
export const catalogueOf = (storage: Storage): (() => Catalogue) => {
  let seen = '';
  let current: ReturnType<typeof read> | undefined;
  return () => {
    const now = stamp(storage);
    if (!current || now !== seen) [seen, current] = [now, read(storage, current?.texts ?? new Map())];
    return current.catalogue;
  };
};
