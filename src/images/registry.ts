/**
 * Pull and push by skopeo, told in Docker's lines. A pull asks for the manifest first: its digest is what Docker shows,
 * and copying by that digest makes sure that what was shown is what was taken.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { internal, invalid, notFound } from '../errors.js';
import type { Catalogue } from './catalogue.js';
import type { Progress, RegistryAuth } from './contract.js';
import { learnDigest } from './digests.js';
import { resolveImage } from './lookup.js';
import {
  familiarName,
  familiarText,
  fullText,
  parseReference,
  type Reference,
  registryOf,
  repositoryOf,
  withDefaultTag,
} from './reference.js';
import { authFile, bare, registryFailure, remoteManifest, type Session, tlsOptions } from './remote.js';
import { inScratch } from './spool.js';
import type { Storage } from './storage.js';
import { skopeoCopy } from './tools.js';

const remoteDigest = async (session: Session): Promise<string> =>
  `sha256:${createHash('sha256')
    .update(await remoteManifest(session))
    .digest('hex')}`;

const BLOB = /^Copying blob (?:sha256:)?([0-9a-f]{12})[0-9a-f]*( skipped: already exists)?/;

interface LayerWords {
  readonly begun: string;
  readonly there: string;
  readonly done: string;
}

const PULLING: LayerWords = { begun: 'Pulling fs layer', there: 'Already exists', done: 'Pull complete' };
const PUSHING: LayerWords = { begun: 'Preparing', there: 'Layer already exists', done: 'Pushed' };

/** skopeo's lines → Docker's per-layer lines. It does not say when a blob is done: `complete` ends them all. */
const layerProgress = (progress: Progress, words: LayerWords) => {
  const begun = new Set<string>();
  const say = (status: string, id: string) => progress({ status, progressDetail: {}, id });
  const onLine = (line: string): void => {
    const [, id, skipped] = BLOB.exec(line) ?? [];
    if (!id || begun.has(id)) return;
    say(skipped ? words.there : words.begun, id);
    if (!skipped) begun.add(id);
  };
  const complete = () => {
    for (const id of begun) say(words.done, id);
  };
  return { onLine, complete };
};

const idOfNamed = (catalogue: Catalogue, name: string): string | undefined =>
  catalogue.byName.get(name)?.image.id;

/** An image pulled by digest gets a name of its own in the store, or the next removal of a name would take it. */
const localName = (reference: Reference): string => fullText(reference.digest ? bare(reference) : reference);

const copyDown = async (session: Session, digest: string, progress: Progress): Promise<void> => {
  const { storage, reference, auth, signal } = session;
  const { onLine, complete } = layerProgress(progress, PULLING);
  const source = `docker://${reference.name}@${digest}`;
  const options = ['--src-authfile', auth, ...tlsOptions(reference, 'src-')];
  await skopeoCopy(storage, source, `containers-storage:${localName(reference)}`, options, {
    onLine,
    signal,
  });
  complete();
};

/** What the store calls the image just pulled, whether by tag or by digest. */
const pulledId = (catalogue: Catalogue, reference: Reference, digest: string): string => {
  const byTag = reference.digest ? undefined : idOfNamed(catalogue, fullText(reference));
  const id = byTag ?? catalogue.idOfStoredName(`${reference.name}@${digest}`);
  if (!id) throw internal(`${familiarText(reference)} was pulled but is not in the storage`);
  return id;
};

/** Throws not-found, unauthorized, unavailable; nothing is left of a broken pull but layers that the next one reuses. */
export const pullImage = async (
  storage: Storage,
  catalogue: () => Catalogue,
  text: string,
  auth: RegistryAuth | undefined,
  progress: Progress,
  signal: AbortSignal,
): Promise<void> => {
  const reference = withDefaultTag(parseReference(text));
  const where = reference.name.startsWith('docker.io/')
    ? repositoryOf(reference)
    : familiarName(reference.name);
  await inScratch(storage, async (directory) => {
    const session = { storage, reference, signal, auth: authFile(directory, registryOf(reference), auth) };
    const digest = reference.digest || (await remoteDigest(session));
    progress({ status: `Pulling from ${where}`, id: reference.tag || reference.digest });
    const known = idOfNamed(
      catalogue(),
      reference.digest ? `${reference.name}@${digest}` : fullText(reference),
    );
    await copyDown(session, digest, progress);
    const id = pulledId(catalogue(), reference, digest);
    learnDigest(storage, `${reference.name}@${digest}`, id);
    progress({ status: `Digest: ${digest}` });
    const news = known === id ? 'Image is up to date' : 'Downloaded newer image';
    progress({ status: `Status: ${news} for ${familiarText(reference)}` });
  }).catch((error: unknown) => {
    throw registryFailure(reference, error);
  });
};

/** Docker's last words of a push; sizes in bytes. */
const sayPushed = (progress: Progress, tag: string, digest: string, size: number): void => {
  progress({ status: `${tag}: digest: ${digest} size: ${size}` });
  progress({ progressDetail: {}, aux: { Tag: tag, Digest: digest, Size: size } });
};

const pushOne = async (
  session: Session,
  catalogue: Catalogue,
  directory: string,
  progress: Progress,
): Promise<void> => {
  const { storage, reference, auth, signal } = session;
  const entry = resolveImage(catalogue, familiarText(reference));
  const { onLine, complete } = layerProgress(progress, PUSHING);
  const digestFile = join(directory, 'digest');
  const options = ['--dest-authfile', auth, '--digestfile', digestFile, ...tlsOptions(reference, 'dest-')];
  const name = fullText(reference);
  await skopeoCopy(storage, `containers-storage:${name}`, `docker://${name}`, options, { onLine, signal });
  complete();
  const digest = readFileSync(digestFile, 'utf8').trim();
  const served = await remoteManifest({ ...session, reference: { ...reference, digest } });
  learnDigest(storage, `${reference.name}@${digest}`, entry.image.id);
  sayPushed(progress, reference.tag, digest, served.length);
};

/** A reference without a tag pushes every tag of the repository that is here, as Docker's `--all-tags` asks. */
const tagsToPush = (catalogue: Catalogue, reference: Reference): readonly Reference[] => {
  if (reference.digest) throw invalid('cannot push a digest reference');
  if (reference.tag) return [reference];
  const names = [...catalogue.byName.keys()].map(parseReference);
  return names.filter(({ name, digest }) => name === reference.name && !digest);
};

export const pushImage = async (
  storage: Storage,
  catalogue: () => Catalogue,
  text: string,
  auth: RegistryAuth | undefined,
  progress: Progress,
  signal: AbortSignal,
): Promise<void> => {
  const asked = parseReference(text);
  const references = tagsToPush(catalogue(), asked);
  if (references.length === 0 || !references.every((r) => catalogue().byName.has(fullText(r))))
    throw notFound(`An image does not exist locally with the tag: ${familiarName(asked.name)}`);
  progress({ status: `The push refers to repository [${asked.name}]` });
  await inScratch(storage, async (directory) => {
    const file = authFile(directory, registryOf(asked), auth);
    for (const reference of references)
      await pushOne({ storage, reference, auth: file, signal }, catalogue(), directory, progress);
  }).catch((error: unknown) => {
    throw registryFailure(asked, error);
  });
};
