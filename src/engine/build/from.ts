/** The images that FROM and `COPY --from` name: stages before, images that are here, images that are pulled. */
import { type Args, forStage, globalVariables } from '../../builder/args.js';
import { expandWord, lookupIn } from '../../builder/expand.js';
import type { Stage } from '../../builder/instructions.js';
import { type Platform, parsePlatform } from '../../builder/platform.js';
import { credentialsFor } from '../../builder/registry.js';
import { invalid, messageOf, notImplemented } from '../../errors.js';
import type { Image } from '../../model/image.js';
import type { Build, Result, State } from './state.js';

const OWN: Platform = {
  os: 'linux',
  architecture: process.arch === 'x64' ? 'amd64' : process.arch,
};

/** Throws invalid, and not-implemented for one that is not this machine's: nothing could run there. */
export const checkPlatform = (text: string): void => {
  if (text === '') return;
  const { os, architecture } = parsePlatform(text, OWN);
  if (os === OWN.os && architecture === OWN.architecture) return;
  throw notImplemented(
    `building for platform ${os}/${architecture} is not supported: this daemon builds for ${OWN.os}/${OWN.architecture}`,
  );
};

/** Found here, or pulled with the client's credentials. Anything but an image's name or id is no reference. */
const imageHere = async (build: Build, reference: string): Promise<Image> => {
  const { parts, request, tell, signal } = build;
  const here = request.pull ? undefined : parts.images.find(reference);
  if (here) return here;
  if (reference === 'scratch') throw invalid("'scratch' is a reserved name");
  const isId = /^(sha256:)?[0-9a-f]{12,64}$/.test(reference) ? parts.images.find(reference) : undefined;
  if (isId) return isId;
  const name = parts.images.fullName(reference);
  const auth = credentialsFor(request.auths, name.split('/', 1)[0] ?? '');
  await parts.images.pull(reference, auth, (line) => void tell(line), signal);
  return parts.images.get(reference);
};

const stageNamed = (results: readonly Result[], name: string): Image | undefined =>
  results.findLast((result) => result.name !== '' && result.name === name.toLowerCase())?.image;

const fromImage = async (build: Build, reference: string): Promise<Image> =>
  build.drafts.begin(await imageHere(build, reference));

/** For `COPY --from`: also by the number of a stage. */
export const imageNamed = async (build: Build, results: readonly Result[], name: string): Promise<Image> => {
  const stage = stageNamed(results, name);
  if (stage) return stage;
  try {
    if (!/^\d{1,9}$/.test(name)) return await fromImage(build, name);
    const numbered = results[Number(name)]?.image;
    if (numbered) return numbered;
    throw invalid(Number(name) === results.length ? 'refers to current build stage' : 'index out of bounds');
  } catch (error) {
    throw invalid(`invalid from flag value ${name}: ${messageOf(error)}`, error);
  }
};

const PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

const withPath = (env: readonly string[]): readonly string[] =>
  env.some((text) => text.startsWith('PATH=')) ? env : [...env, PATH];

/** The state with which a stage begins. */
export const beginStage = async (
  build: Build,
  stage: Stage,
  before: { readonly args: Args; readonly results: readonly Result[] },
): Promise<State> => {
  const lookup = lookupIn(globalVariables(before.args));
  checkPlatform(expandWord(stage.platform, lookup, build.mark));
  const base = expandWord(stage.base, lookup, build.mark);
  if (base === '') throw invalid(`base name (${stage.base}) should not be blank`);
  const blank = base === 'scratch';
  const image = blank
    ? build.drafts.begin(undefined)
    : (stageNamed(before.results, base) ?? (await fromImage(build, base)));
  return {
    image,
    blank,
    config: { ...image.config, Env: withPath(image.config.Env) },
    cmdSet: false,
    author: '',
    args: forStage(before.args),
    probing: !build.request.noCache,
    results: before.results,
  };
};
