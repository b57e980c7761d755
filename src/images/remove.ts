/**
 * `rmi` and `image prune` with Docker's rules: naming a repository takes that name away and the image with its last one;
 * naming an id takes the image. What a container uses keeps its layers: the image stays, without a name.
 */
import { createHash } from 'node:crypto';
import { conflict } from '../errors.js';
import { type Catalogue, type Entry, KEPT } from './catalogue.js';
import { forgetDigests } from './digests.js';
import { isIdOf, resolveImage } from './lookup.js';
import { familiarText, fullText, parseReference, withDefaultTag } from './reference.js';
import type { Storage } from './storage.js';
import { buildah, toolFailure } from './tools.js';

export interface Removed {
  Untagged?: string;
  Deleted?: string;
}

export interface Users {
  /** containers made from the image */
  readonly of: (imageId: string) => readonly string[];
  readonly isRunning: (containerId: string) => boolean;
}

const short = (id: string): string => id.replace(/^sha256:/, '').slice(0, 12);
const familiar = (name: string): string => familiarText(parseReference(name));
const repository = (name: string): string => parseReference(name).name;

/** One repository, with at most one tag. */
const isSingleReference = (names: readonly string[], digests: readonly string[]): boolean =>
  names.length <= 1 && new Set([...names, ...digests].map(repository)).size === 1;

const refuse = (entry: Entry, how: string, why: string) =>
  conflict(`conflict: unable to delete ${short(entry.image.id)} (${how}) - ${why}`);

const refuseByName = (text: string, entry: Entry, user: string) =>
  conflict(
    `conflict: unable to remove repository reference ${JSON.stringify(text)} (must force) - container ${short(user)} is using its referenced image ${short(entry.image.id)}`,
  );

/** Throws conflict as Docker does for an image named by its id. */
const checkDeletable = (entry: Entry, users: Users, force: boolean): void => {
  const using = users.of(entry.image.id);
  const running = using.find(users.isRunning);
  if (running)
    throw refuse(entry, 'cannot be forced', `image is being used by running container ${short(running)}`);
  if (force) return;
  if (!isSingleReference(entry.names, entry.digests) && entry.names.length + entry.digests.length > 0)
    throw refuse(entry, 'must be forced', 'image is referenced in multiple repositories');
  const [stopped] = using;
  if (stopped)
    throw refuse(entry, 'must be forced', `image is being used by stopped container ${short(stopped)}`);
};

/** Docker's name of a layer with all those below it: sha256 over the chain below and its own digest. */
const chainIds = (diffIds: readonly string[]): readonly string[] => {
  const chain: string[] = [];
  for (const diffId of diffIds) {
    const below = chain.at(-1);
    const joined = createHash('sha256').update(`${below} ${diffId}`).digest('hex');
    chain.push(below ? `sha256:${joined}` : diffId);
  }
  return chain;
};

/** The image and the layers that went with it, topmost first, as Docker lists them. */
const deletedRecords = (entry: Entry, after: Catalogue): readonly Removed[] => {
  const left = new Set(after.entries.flatMap((other) => other.layers));
  const chain = chainIds(entry.image.diffIds);
  const gone = entry.layers.flatMap((layer, index) => (left.has(layer) ? [] : (chain[index] ?? [])));
  return [entry.image.id, ...gone.reverse()].map((Deleted) => ({ Deleted }));
};

/** A hidden name holds the image's layers for the containers that stand on them. */
const keep = (storage: Storage, entry: Entry): Promise<unknown> =>
  buildah(storage, ['tag', entry.storeId, `${KEPT}:${entry.storeId}`]);

/** buildah removes an image's nameless ancestors with it: those that a container uses get a hidden name first. */
const protectAncestors = async (
  storage: Storage,
  catalogue: Catalogue,
  entry: Entry,
  inUse: (imageId: string) => boolean,
): Promise<void> => {
  for (const ancestor of catalogue.ancestors(entry))
    if (ancestor.names.length === 0 && inUse(ancestor.image.id)) await keep(storage, ancestor);
};

const untag = async (storage: Storage, names: readonly string[]): Promise<readonly Removed[]> => {
  if (names.length > 0) await buildah(storage, ['rmi', '--', ...names]);
  return names.map((name) => ({ Untagged: familiar(name) }));
};

const forget = (storage: Storage, digests: readonly string[]): readonly Removed[] => {
  forgetDigests(storage, digests);
  return digests.map((name) => ({ Untagged: familiar(name) }));
};

/** Takes every name; the layers too unless a container uses them. */
const removeWhole = async (
  storage: Storage,
  catalogue: () => Catalogue,
  entry: Entry,
  inUse: (imageId: string) => boolean,
): Promise<readonly Removed[]> => {
  const used = inUse(entry.image.id);
  if (used) await keep(storage, entry);
  else await protectAncestors(storage, catalogue(), entry, inUse);
  const hidden = used || !entry.kept ? [] : [`${KEPT}:${entry.storeId}`];
  const untagged = await untag(storage, entry.names);
  // the last name took the image with it; without any it goes by its id
  if (hidden.length > 0) await untag(storage, hidden);
  else if (!used && entry.names.length === 0) await buildah(storage, ['rmi', '--', entry.storeId]);
  const records = [...untagged, ...forget(storage, entry.digests)];
  return used ? records : [...records, ...deletedRecords(entry, catalogue())];
};

const removeByName = async (
  storage: Storage,
  catalogue: () => Catalogue,
  entry: Entry,
  text: string,
  inUse: (imageId: string) => boolean,
): Promise<readonly Removed[]> => {
  const reference = withDefaultTag(parseReference(text));
  if (reference.digest) {
    const name = `${reference.name}@${reference.digest}`;
    if (entry.names.length + entry.digests.length > 1) return forget(storage, [name]);
    return removeWhole(storage, catalogue, entry, inUse);
  }
  const name = fullText(reference);
  const others = entry.names.filter((other) => other !== name);
  // the last tag of a repository takes that repository's digests along
  const orphaned = entry.digests.filter(
    (digest) =>
      repository(digest) === reference.name && !others.some((other) => repository(other) === reference.name),
  );
  if (others.length === 0 && orphaned.length === entry.digests.length)
    return removeWhole(storage, catalogue, entry, inUse);
  if (others.length === 0) await keep(storage, entry);
  return [...(await untag(storage, [name])), ...forget(storage, orphaned)];
};

export const removeImage = async (
  storage: Storage,
  catalogue: () => Catalogue,
  text: string,
  force: boolean,
  users: Users,
): Promise<readonly Removed[]> => {
  const entry = resolveImage(catalogue(), text);
  const byId = isIdOf(text, entry.image.id);
  const [user] = users.of(entry.image.id);
  if (byId) checkDeletable(entry, users, force);
  else if (user && !force && isSingleReference(entry.names, entry.digests))
    throw refuseByName(text, entry, user);
  const inUse = (id: string) => users.of(id).length > 0;
  const removal = byId
    ? removeWhole(storage, catalogue, entry, inUse)
    : removeByName(storage, catalogue, entry, text, inUse);
  return removal.catch((error: unknown) => {
    throw toolFailure(`cannot remove ${text}`, error);
  });
};

const layerBytes = (catalogue: Catalogue): number => {
  const sizes = new Map<string, number>();
  for (const entry of catalogue.entries)
    for (const [index, layer] of entry.layers.entries()) sizes.set(layer, entry.layerSizes[index] ?? 0);
  return [...sizes.values()].reduce((sum, size) => sum + size, 0);
};

/** Without `all`: only images without any name that no other image was built from. */
export const pruneImages = async (
  storage: Storage,
  catalogue: () => Catalogue,
  all: boolean,
  used: ReadonlySet<string>,
): Promise<{ deleted: readonly Removed[]; bytes: number }> => {
  const before = catalogue();
  const deleted: Removed[] = [];
  for (const { image } of before.entries) {
    // an earlier removal may have taken this one, or its last descendant, along
    const entry = catalogue().byId.get(image.id);
    if (!entry || used.has(image.id)) continue;
    const dangling = entry.names.length + entry.digests.length === 0;
    if (entry.intermediate || !(all || dangling)) continue;
    deleted.push(...(await removeWhole(storage, catalogue, entry, (id) => used.has(id))));
  }
  return { deleted, bytes: layerBytes(before) - layerBytes(catalogue()) };
};
