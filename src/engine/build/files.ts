/** COPY, ADD and WORKDIR: what they change of the files, written into a root of the step's own by descriptor. */

import { createHash } from 'node:crypto';
import { posix } from 'node:path';
import { applied } from '../../builder/apply.js';
import { hasWildcards, matches, pathPattern } from '../../builder/glob.js';
import type { CopyRequest, Instruction } from '../../builder/instructions.js';
import { refuseForeign } from '../../builder/instructions.js';
import { invalid, messageOf, ViaductError } from '../../errors.js';
import type { Owner } from '../../files/contract.js';
import { extractTar } from '../../files/extract.js';
import {
  checksumAt,
  copyPlace,
  isArchive,
  kindAt,
  makeDirectories,
  type Place,
  pathsBelow,
  readAt,
} from '../../files/tree.js';
import { plainView } from '../../files/view.js';
import type { BuildStep } from '../../images/contract.js';
import type { Image } from '../../model/image.js';
import { createPace } from '../../pace.js';
import { download, isUrl } from './download.js';
import { imageNamed } from './from.js';
import { advance, type Build, fileNop, type State } from './state.js';

/** One thing to copy. */
interface Source {
  readonly place: Place;
  readonly checksum: string;
  /** ADD unpacks it where it is an archive */
  readonly local: boolean;
}

/** The image with what `work` writes into a root of its own. */
const written = async (
  { drafts }: Build,
  image: Image,
  step: BuildStep,
  work: (root: string) => Promise<void>,
): Promise<Image> => {
  const { id, root } = await drafts.open(image);
  try {
    await work(root);
    return await drafts.child(image, step, { containerId: id, stays: false });
  } finally {
    await drafts.discard(id);
  }
};

// ── sources ───────────────────────────────────────────────────────────────────────────────────────────────────────

const missing = (path: string, fromImage: boolean) =>
  invalid(
    `${fromImage ? '' : 'file not found in build context or excluded by .dockerignore: '}stat ${path}: file does not exist`,
  );

const sourceAt = async (root: string, path: string, fromImage: boolean): Promise<Source> => {
  const place = { root, path };
  if (kindAt(place) === undefined) throw missing(path, fromImage);
  return { place, local: true, checksum: await checksumAt(place, fromImage) };
};

const matching = async (root: string, pattern: string): Promise<readonly string[]> => {
  const wanted = pathPattern(pattern);
  return (await pathsBelow(root)).filter((path) => matches(wanted, path));
};

const sourcesAt = async (root: string, asked: string, fromImage: boolean): Promise<readonly Source[]> => {
  const path = asked.replace(/^\//, '').replace(/^\.\//, '');
  if (/^\.\.(\/|$)/.test(posix.normalize(path)))
    throw invalid(`forbidden path outside the build context: ${asked} ()`);
  const paths = hasWildcards(path) ? await matching(root, path) : [path];
  const sources: Source[] = [];
  const pace = createPace();
  for (const each of paths) {
    sources.push(await sourceAt(root, each, fromImage));
    if (pace.due()) await pace.rest();
  }
  return sources;
};

const remote = async (build: Build, url: string, request: CopyRequest, kind: 'add' | 'copy') => {
  if (kind === 'copy') throw invalid("source can't be a URL for COPY");
  const root = build.drafts.scratch();
  const name = await download(url, root, request.destination, build.signal);
  const place = { root, path: name };
  return { place, local: false, checksum: await checksumAt(place, false) };
};

/** Throws invalid, in Docker's words. */
const sourcesOf = async (
  build: Build,
  root: string,
  request: CopyRequest,
  kind: 'add' | 'copy',
): Promise<readonly Source[]> => {
  const name = kind.toUpperCase();
  try {
    const sources: Source[] = [];
    for (const asked of request.sources)
      sources.push(
        ...(isUrl(asked)
          ? [await remote(build, asked, request, kind)]
          : await sourcesAt(root, asked, request.from !== '')),
      );
    if (sources.length === 0) throw invalid('no source files were specified');
    if (sources.length === 1 || request.destination.endsWith('/')) return sources;
  } catch (error) {
    throw invalid(`${name} failed: ${messageOf(error)}`, error);
  }
  throw invalid(
    `When using ${name} with more than one source file, the destination must be a directory and end with a /`,
  );
};

// ── destination ───────────────────────────────────────────────────────────────────────────────────────────────────

/** A slash at its end says that it is a directory. */
const destinationOf = ({ config }: State, asked: string): string => {
  if (asked.startsWith('/')) return asked;
  const path = posix.join('/', config.WorkingDir || '/', asked);
  return asked.endsWith('/') && !path.endsWith('/') ? `${path}/` : path;
};

/** The user's name stands for the group's where none is given, as in the classic builder. */
const ownerOf = ({ parts }: Build, root: string, chown: string): Owner => {
  const text = chown.includes(':') ? chown : `${chown}:${chown}`;
  try {
    const { uid, gid } = parts.runtime.user(root, text);
    return { uid, gid };
  } catch (error) {
    throw invalid(`unable to convert uid/gid chown string to host mapping: ${messageOf(error)}`, error);
  }
};

const place = async (
  source: Source,
  to: Place,
  options: { readonly owner: Owner | undefined; readonly unpack: boolean },
): Promise<void> => {
  const mayUnpack = options.unpack && source.local && kindAt(source.place) === 'file';
  if (!mayUnpack || !(await isArchive(source.place))) return copyPlace(source.place, to, options.owner);
  await makeDirectories(to);
  await extractTar(plainView(to.root), to.path, readAt(source.place), { noOverwriteDirNonDir: false });
};

const ROOT: Owner = { uid: 0, gid: 0 };

const placeAll = async (
  build: Build,
  sources: readonly Source[],
  to: Place,
  { request, kind }: { readonly request: CopyRequest; readonly kind: 'add' | 'copy' },
): Promise<void> => {
  const pace = createPace();
  const keeps = request.from !== '' && request.chown === '';
  const owner = request.chown ? ownerOf(build, to.root, request.chown) : keeps ? undefined : ROOT;
  try {
    for (const source of sources) {
      await place(source, to, { owner, unpack: kind === 'add' });
      if (pace.due()) await pace.rest();
    }
  } catch (error) {
    if (error instanceof ViaductError) throw invalid(`failed to copy files: ${error.message}`, error);
    throw error;
  }
};

/** One checksum, or one of all. */
const checksumOf = (sources: readonly Source[]): string => {
  const [first, ...others] = sources.map(({ checksum }) => checksum);
  if (first !== undefined && others.length === 0) return first;
  const all = createHash('sha256').update([first, ...others].join(','));
  return `multi:${all.digest('hex')}`;
};

const copyFrom = async (
  build: Build,
  state: State,
  root: string,
  instruction: CopyRequest & { readonly kind: 'add' | 'copy' },
): Promise<State> => {
  const { kind, chown, destination } = instruction;
  const sources = await sourcesOf(build, root, instruction, kind);
  const flag = chown ? `--chown=${chown} ` : '';
  const words = `${kind.toUpperCase()} ${flag}${checksumOf(sources)} in ${destination} `;
  return advance(build, state, fileNop(state, words), (step) =>
    written(build, state.image, step, (target) =>
      placeAll(
        build,
        sources,
        { root: target, path: destinationOf(state, destination) },
        { request: instruction, kind },
      ),
    ),
  );
};

export const copyStep = async (
  build: Build,
  state: State,
  instruction: CopyRequest & { readonly kind: 'add' | 'copy' },
): Promise<State> => {
  refuseForeign(instruction.foreign);
  if (instruction.from === '') return copyFrom(build, state, build.context, instruction);
  const image = await imageNamed(build, state.results, instruction.from);
  const { id, root } = await build.drafts.open(image);
  try {
    return await copyFrom(build, state, root, instruction);
  } finally {
    await build.drafts.discard(id);
  }
};

/** The directory is made, so that it is there and root's whoever runs in it. */
export const workdirStep = async (build: Build, state: State, instruction: Instruction): Promise<State> => {
  const { config, words } = applied(state, instruction) ?? { config: state.config, words: '' };
  const next = { ...state, config };
  return advance(build, next, fileNop(next, words), (step) =>
    written(build, state.image, step, (root) => makeDirectories({ root, path: config.WorkingDir ?? '/' })),
  );
};
