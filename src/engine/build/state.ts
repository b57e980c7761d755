/** What a build carries from step to step, and how a step's image is found or made. */

import { type Configured, shellOf } from '../../builder/apply.js';
import type { Args } from '../../builder/args.js';
import { imageLine, usingCache } from '../../builder/output.js';
import type { BuildStep, Drafts } from '../../images/contract.js';
import type { Image } from '../../model/image.js';
import type { ContainerCommands } from '../contract.js';
import type { Outside, Writing } from '../parts.js';
import type { BuildRequest, Tell } from './contract.js';

/** What a build touches, besides its containers. */
export type Building = Pick<Writing, 'events' | 'log'> & Pick<Outside, 'images' | 'runtime'>;

/** A stage that is finished. */
export interface Result {
  /** empty: none */
  readonly name: string;
  readonly image: Image;
}

/** What does not change while one Dockerfile is carried out. */
export interface Build {
  readonly parts: Building;
  readonly containers: ContainerCommands;
  readonly drafts: Drafts;
  readonly request: BuildRequest;
  readonly tell: Tell;
  readonly signal: AbortSignal;
  /** directory of the context */
  readonly context: string;
  /** the Dockerfile's escape character */
  readonly mark: string;
  readonly sources: readonly Image[] | undefined;
}

/** A stage between two of its steps. */
export interface State extends Configured {
  readonly image: Image;
  /** `FROM scratch`, and nothing done yet */
  readonly blank: boolean;
  readonly author: string;
  readonly args: Args;
  /** no step of this stage has missed the cache */
  readonly probing: boolean;
  /** the stages before */
  readonly results: readonly Result[];
}

/** As Docker's history has what ran no command. */
export const nop = (state: Pick<State, 'config'>, text: string): readonly string[] => [
  ...shellOf(state.config),
  '#(nop) ',
  text,
];

/** WORKDIR, COPY and ADD have a blank less. */
export const fileNop = (state: Pick<State, 'config'>, text: string): readonly string[] => [
  ...shellOf(state.config),
  `#(nop) ${text}`,
];

const stepOf = ({ config, author }: State, words: readonly string[]): BuildStep => ({
  words,
  config,
  author,
});

/** The state after a step whose image is in the cache, or is made now. */
export const advance = async (
  { drafts, tell, sources }: Build,
  state: State,
  words: readonly string[],
  make: (step: BuildStep) => Promise<Image>,
): Promise<State> => {
  const step = stepOf(state, words);
  const hit = state.probing ? drafts.cached(state.image, step, sources) : undefined;
  if (hit) {
    await tell(usingCache);
    return { ...state, image: hit, blank: false };
  }
  return { ...state, image: await make(step), blank: false, probing: false };
};

export const tellImage = ({ tell }: Build, { blank, image }: State): void | Promise<void> =>
  tell(imageLine(blank ? '' : image.id));
