/**
 * `docker build`: Docker's classic builder over our own containers and images (ADR 12). A build sees its context, its images
 * and nothing else; what it leaves is the image, and in the cache what led to it.
 */
import { labelInstructions, readStages, type Stages, stagesUpTo } from '../../builder/instructions.js';
import { type Dockerfile, parseDockerfile } from '../../builder/lines.js';
import { endLines, parserWarnings } from '../../builder/output.js';
import { invalid, messageOf } from '../../errors.js';
import type { Drafts } from '../../images/contract.js';
import type { Image } from '../../model/image.js';
import type { ContainerCommands } from '../contract.js';
import { layContext, takeDockerfile } from './context.js';
import type { BuildCommands, BuildRequest, Tell } from './contract.js';
import { checkPlatform } from './from.js';
import { runStages } from './stages.js';
import type { Build, Building } from './state.js';

const parse = (text: string, name: string): Dockerfile => {
  try {
    return parseDockerfile(text);
  } catch (error) {
    throw invalid(`failed to parse ${name}: ${messageOf(error)}`, error);
  }
};

/** `--label`s are the last stage's last instructions. */
const wantedStages = ({ lines, mark }: Dockerfile, { target, labels }: BuildRequest): Stages => {
  const { global, stages } = readStages(lines, mark);
  const wanted = stagesUpTo(stages, target);
  const added = labelInstructions(labels);
  return {
    global,
    stages: wanted.map((stage, index) =>
      index + 1 < wanted.length ? stage : { ...stage, instructions: [...stage.instructions, ...added] },
    ),
  };
};

/** What was built before a failure is worth keeping: the next build goes on from there. */
const keepProgress = async ({ log }: Building, drafts: Drafts, image: Image | undefined): Promise<void> => {
  try {
    if (image) await drafts.keep(image);
  } catch (error) {
    log.warn({ error: String(error) }, 'the steps before a failed one are not in the cache');
  }
};

const buildIn = async (parts: Building, build: Build, stages: Stages): Promise<Image> => {
  let reached: Image | undefined;
  try {
    return await runStages(build, stages, (image) => {
      reached = image;
    });
  } catch (error) {
    await keepProgress(parts, build.drafts, reached);
    throw error;
  }
};

const announce = ({ events }: Building, image: Image, tags: readonly string[]): void => {
  const publish = (action: string, name: string): void =>
    events.publish({
      type: 'image',
      action,
      actor: { id: image.id, attributes: { ...image.config.Labels, name } },
    });
  publish('create', image.id);
  for (const tag of tags) publish('tag', tag);
};

export const createBuildCommands = (parts: Building, containers: ContainerCommands): BuildCommands => {
  const { images } = parts;

  const prepare = async (
    request: BuildRequest,
    drafts: Drafts,
    tell: Tell,
    signal: AbortSignal,
  ): Promise<{ readonly build: Build; readonly stages: Stages }> => {
    const context = drafts.scratch();
    await layContext(request.context, context);
    const text = await takeDockerfile(context, request.dockerfile);
    const dockerfile = parse(text, request.dockerfile);
    const stages = wantedStages(dockerfile, request);
    for (const line of parserWarnings(dockerfile.warnings)) await tell(line);
    const sources = request.cacheFrom?.flatMap((reference) => images.find(reference) ?? []);
    const build = {
      parts,
      containers,
      drafts,
      request,
      tell,
      signal,
      context,
      sources,
      mark: dockerfile.mark,
    };
    return { build, stages };
  };

  return {
    async build(request, tell, signal) {
      const names = request.tags.map(images.fullName);
      checkPlatform(request.platform);
      const drafts = images.drafts(signal);
      try {
        const { build, stages } = await prepare(request, drafts, tell, signal);
        const image = await buildIn(parts, build, stages);
        await drafts.store(image, names);
        const tags = names.map(images.familiarName);
        announce(parts, image, tags);
        for (const line of endLines(image.id, tags)) await tell(line);
        return image.id;
      } finally {
        await drafts.close();
      }
    },
  };
};
