/**
 * `docker save`: one archive of any number of images, in Docker's format of `manifest.json` and one file a layer. skopeo
 * lays each image's files down once; layers that images share are written once. Every version of `docker load` reads it.
 */
import { createReadStream, readFileSync, statSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';
import tar from 'tar-stream';
import type { Catalogue, Entry } from './catalogue.js';
import { isIdOf, resolveImage } from './lookup.js';
import { familiarText, fullText, parseReference, withDefaultTag } from './reference.js';
import { freshScratch } from './spool.js';
import type { Storage } from './storage.js';
import { skopeoCopy, stored, toolFailure } from './tools.js';

/** One image to write, with the names that go into the archive. */
interface Wanted {
  readonly entry: Entry;
  readonly names: readonly string[];
}

interface Laid {
  readonly config: { readonly digest: string };
  readonly layers: readonly { readonly digest: string }[];
}

/** A bare repository saves all its tags, an id saves the image without names, as Docker has it. */
const namesFor = (
  catalogue: Catalogue,
  text: string,
  entry: Entry,
): readonly (readonly [Entry, string])[] => {
  if (isIdOf(text, entry.image.id)) return [];
  const reference = parseReference(text);
  if (reference.digest) return [];
  if (reference.tag) return [[entry, fullText(reference)]];
  const start = `${withDefaultTag(reference).name}:`;
  return [...catalogue.byName].flatMap(([name, found]) =>
    name.startsWith(start) && !name.includes('@') ? [[found, name] as const] : [],
  );
};

/** Throws not-found before anything is written. */
const wantedOf = (catalogue: Catalogue, references: readonly string[]): readonly Wanted[] => {
  const names = new Map<Entry, Set<string>>();
  const add = (entry: Entry, name?: string) => {
    const set = names.get(entry) ?? new Set();
    if (name) set.add(name);
    names.set(entry, set);
  };
  for (const text of references) {
    const entry = resolveImage(catalogue, text);
    add(entry);
    for (const [found, name] of namesFor(catalogue, text, entry)) add(found, name);
  }
  return [...names].map(([entry, set]) => ({ entry, names: [...set] }));
};

const hexOf = (digest: string): string => digest.slice('sha256:'.length);

/** skopeo's directory of an image: its manifest, its configuration, its layers (uncompressed, as the store has them). */
const layDown = async (storage: Storage, directory: string, { entry }: Wanted): Promise<Laid> => {
  // v2s2 keeps the configuration, and so the id, as it is; format is set so that OCI images are accepted everywhere
  const target = join(directory, entry.storeId);
  await skopeoCopy(storage, stored(entry.storeId), `dir:${target}`, ['--format', 'v2s2']);
  return JSON.parse(readFileSync(join(target, 'manifest.json'), 'utf8')) as Laid;
};

const addFile = async (pack: tar.Pack, name: string, file: string): Promise<void> => {
  const entry = pack.entry({ name, size: statSync(file).size, mtime: new Date(0) });
  await pipeline(createReadStream(file), entry);
};

const write = async (
  storage: Storage,
  directory: string,
  wanted: readonly Wanted[],
  pack: tar.Pack,
): Promise<void> => {
  const written = new Set<string>();
  const manifest: object[] = [];
  for (const image of wanted) {
    const { layers } = await layDown(storage, directory, image);
    const { storeId, image: model } = image.entry;
    const at = (digest: string) => join(directory, storeId, hexOf(digest));
    const config = `${hexOf(model.id)}.json`;
    const paths = layers.map(({ digest }) => `${hexOf(digest)}/layer.tar`);
    for (const [index, { digest }] of layers.entries()) {
      const path = paths[index];
      if (!path || written.has(path)) continue;
      written.add(path);
      await addFile(pack, path, at(digest));
    }
    await addFile(pack, config, at(model.id));
    const tags = image.names.map((name) => familiarText(parseReference(name)));
    manifest.push({ Config: config, RepoTags: tags.length > 0 ? tags : null, Layers: paths });
    await rm(join(directory, storeId), { recursive: true, force: true });
  }
  pack.entry({ name: 'manifest.json', mtime: new Date(0) }, JSON.stringify(manifest));
  pack.finalize();
};

/** Throws not-found at once; later failures end the stream with an error. */
export const saveImages = (
  storage: Storage,
  catalogue: Catalogue,
  references: readonly string[],
): Readable => {
  const wanted = wantedOf(catalogue, references);
  const directory = freshScratch(storage);
  const pack = tar.pack();
  const left = new AbortController();
  write({ ...storage, client: left.signal }, directory, wanted, pack).catch((error: unknown) => {
    const failure = toolFailure('cannot save the images', error);
    pack.destroy(failure instanceof Error ? failure : undefined);
  });
  const tidy = () => {
    left.abort();
    return rm(directory, { recursive: true, force: true });
  };
  finished(pack as unknown as Readable).then(tidy, tidy);
  // tar-stream's Pack is streamx's Readable, which has Node's interface but not its type
  return pack as unknown as Readable;
};
