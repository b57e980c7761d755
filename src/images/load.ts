/**
 * `docker load`: archives of `docker save` (any version, any compression) and OCI archives, copied into the storage by
 * skopeo. An archive that holds both forms, as Docker's do since 25, is read by its manifest.json, which has the names.
 */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { invalid } from '../errors.js';
import { decompressed } from '../files/decompress.js';
import type { Catalogue } from './catalogue.js';
import { ChildError, runChild } from './child.js';
import type { Progress } from './contract.js';
import { familiarText, fullText, parseReference, withDefaultTag } from './reference.js';
import { inScratch, spool } from './spool.js';
import type { Storage } from './storage.js';
import { buildah, skopeoCopy, stored, toolFailure } from './tools.js';

/** One image found in an archive. */
interface Found {
  /** skopeo's source */
  readonly source: string;
  /** full references */
  readonly names: readonly string[];
  readonly id: string;
}

interface DockerManifest {
  readonly Config?: unknown;
  readonly RepoTags?: unknown;
}

interface OciIndex {
  readonly manifests?: readonly {
    readonly digest?: string;
    readonly annotations?: Readonly<Record<string, string>>;
  }[];
}

/** One file of the archive; undefined where it is not in there. */
const member = async (archive: string, name: string): Promise<string | undefined> => {
  // both spellings: GNU tar writes the members of a directory as `./name`
  for (const spelling of [name, `./${name}`]) {
    try {
      const args = ['-xOf', archive, '--occurrence=1', '--', spelling];
      return (await runChild({ command: 'tar', args, env: { LC_ALL: 'C' } })).toString();
    } catch (error) {
      if (!(error instanceof ChildError)) throw error;
      if (!error.stderr.includes('Not found in archive'))
        throw invalid(`invalid archive: ${error.stderr}`, error);
    }
  }
  return undefined;
};

const parseJson = <T>(text: string): T => {
  try {
    // a stranger's file: callers check each field they use
    return JSON.parse(text) as T;
  } catch (cause) {
    throw invalid('invalid archive: its manifest is not JSON', cause);
  }
};

const normal = (name: string): string => fullText(withDefaultTag(parseReference(name)));

const strings = (value: unknown): readonly string[] =>
  Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];

/** The id of an image is the digest of its configuration's text. */
const configId = async (archive: string, config: unknown): Promise<string> => {
  const named = typeof config === 'string' ? /([0-9a-f]{64})(?:\.json)?$/.exec(config)?.[1] : undefined;
  if (named) return `sha256:${named}`;
  const text = typeof config === 'string' ? await member(archive, config) : undefined;
  if (text === undefined) throw invalid('invalid archive: an image has no configuration');
  return `sha256:${createHash('sha256').update(text).digest('hex')}`;
};

const inDockerArchive = async (archive: string, manifest: string): Promise<readonly Found[]> => {
  const images = parseJson<readonly DockerManifest[]>(manifest);
  if (!Array.isArray(images)) throw invalid('invalid archive: manifest.json is not a list');
  const found: Found[] = [];
  for (const [index, image] of images.entries()) {
    const names = strings(image?.RepoTags).map(normal);
    found.push({
      source: `docker-archive:${archive}:@${index}`,
      names,
      id: await configId(archive, image?.Config),
    });
  }
  return found;
};

const blob = async (archive: string, digest: string | undefined): Promise<string> => {
  const text = digest && (await member(archive, `blobs/${digest.replace(':', '/')}`));
  if (!text) throw invalid('invalid archive: a manifest is missing');
  return text;
};

/** `io.containerd.image.name` is a whole reference; OCI's own annotation may be just a tag. */
const ociNames = (annotations: Readonly<Record<string, string>> | undefined): readonly string[] => {
  const whole = annotations?.['io.containerd.image.name'];
  const name = whole ?? annotations?.['org.opencontainers.image.ref.name'];
  return name && (whole || /[/:]/.test(name)) ? [normal(name)] : [];
};

const inOciArchive = async (archive: string, index: string): Promise<readonly Found[]> => {
  const { manifests } = parseJson<OciIndex>(index);
  const all = Array.isArray(manifests) ? manifests : [];
  const found: Found[] = [];
  for (const { digest, annotations } of all) {
    const manifest = parseJson<{ config?: { digest?: string } }>(await blob(archive, digest));
    const id = manifest.config?.digest;
    if (!id) throw invalid('invalid archive: an image has no configuration');
    const reference = annotations?.['org.opencontainers.image.ref.name'];
    // skopeo 1.9 names one image of several by its annotation only
    if (all.length > 1 && !reference) throw invalid('invalid archive: one of its images has no name');
    found.push({
      source: `oci-archive:${archive}${reference ? `:${reference}` : ''}`,
      names: ociNames(annotations),
      id,
    });
  }
  return found;
};

const imagesIn = async (archive: string): Promise<readonly Found[]> => {
  const manifest = await member(archive, 'manifest.json');
  if (manifest !== undefined) return inDockerArchive(archive, manifest);
  const index = await member(archive, 'index.json');
  if (index !== undefined) return inOciArchive(archive, index);
  throw invalid('unrecognized image format');
};

const sayReplaced = (before: Catalogue, { names, id }: Found, progress: Progress): void => {
  for (const name of names) {
    const old = before.byName.get(name);
    if (!old || old.image.id === id) continue;
    const text = `The image ${familiarText(parseReference(name))} already exists, renaming the old one with ID ${old.image.id} to empty string\n`;
    progress({ stream: text });
  }
};

const loadOne = async (
  storage: Storage,
  found: Found,
  before: Catalogue,
  progress: Progress,
): Promise<void> => {
  const hex = found.id.slice('sha256:'.length);
  const [first, ...others] = found.names;
  sayReplaced(before, found, progress);
  await skopeoCopy(storage, found.source, first ? `containers-storage:${first}` : stored(hex));
  if (others.length > 0) await buildah(storage, ['tag', hex, ...others]);
  for (const name of found.names)
    progress({ stream: `Loaded image: ${familiarText(parseReference(name))}\n` });
  if (!first) progress({ stream: `Loaded image ID: ${found.id}\n` });
};

/** Throws invalid where the stream is no archive of images; the storage is then as it was. */
export const loadImages = (
  storage: Storage,
  catalogue: () => Catalogue,
  tar: Readable,
  progress: Progress,
): Promise<void> =>
  inScratch(storage, async (directory) => {
    const archive = join(directory, 'archive.tar');
    await spool(await decompressed(tar), archive);
    for (const found of await imagesIn(archive)) {
      await loadOne(storage, found, catalogue(), progress).catch((error: unknown) => {
        throw toolFailure('cannot load the image', error);
      });
    }
  });
