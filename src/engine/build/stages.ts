/** A Dockerfile carried out: stage after stage, step after step, each told as Docker's classic builder tells it. */
import { applied, expanded } from '../../builder/apply.js';
import {
  type Args,
  declareArg,
  declareGlobal,
  globalVariables,
  noArgs,
  stepVariables,
  unused,
} from '../../builder/args.js';
import { expandWord, lookupIn } from '../../builder/expand.js';
import {
  type Instruction,
  readInstruction,
  refuseForeign,
  type Stage,
  type Stages,
} from '../../builder/instructions.js';
import { parseDockerfile } from '../../builder/lines.js';
import { type Line, resultLine, stepLines, triggers, unusedLine } from '../../builder/output.js';
import { internal, invalid } from '../../errors.js';
import type { Image } from '../../model/image.js';
import { copyStep, workdirStep } from './files.js';
import { beginStage } from './from.js';
import { runStep } from './run.js';
import { advance, type Build, nop, type Result, type State, tellImage } from './state.js';

const argStep = (build: Build, state: State, instruction: Instruction & { kind: 'arg' }): Promise<State> => {
  const args = instruction.args.reduce((known, { key, value }) => declareArg(known, key, value), state.args);
  const words = instruction.args.map(({ key, value }) => (value === undefined ? key : `${key}=${value}`));
  return advance(build, { ...state, args }, nop(state, `ARG ${words.join(' ')}`), (step) =>
    build.drafts.child(state.image, step),
  );
};

const configStep = (build: Build, state: State, instruction: Instruction): Promise<State> => {
  const change = applied(state, instruction);
  if (!change) throw internal(`${instruction.kind} changes more than the configuration`);
  const author = instruction.kind === 'maintainer' ? instruction.text : state.author;
  const { words, ...configured } = change;
  const next = { ...state, ...configured, author };
  return advance(build, next, nop(next, words), (step) => build.drafts.child(state.image, step));
};

const step = async (build: Build, state: State, asked: Instruction): Promise<State> => {
  if (build.signal.aborted) throw internal('Build cancelled');
  const env = state.config.Env ?? [];
  const lookup = lookupIn([...env, ...stepVariables(state.args, env)]);
  const instruction = expanded(asked, lookup, build.mark);
  switch (instruction.kind) {
    case 'run':
      refuseForeign(instruction.foreign);
      return runStep(build, state, instruction.command);
    case 'copy':
    case 'add':
      return copyStep(build, state, instruction);
    case 'workdir':
      return workdirStep(build, state, instruction);
    case 'arg':
      return argStep(build, state, instruction);
    default:
      return configStep(build, state, instruction);
  }
};

/** What the base wants done first, by its ONBUILD. */
const pullTriggers = async (build: Build, begun: State): Promise<State> => {
  const expressions = begun.config.OnBuild ?? [];
  if (expressions.length === 0) return begun;
  await build.tell(triggers(expressions.length));
  let state: State = { ...begun, config: { ...begun.config, OnBuild: null } };
  for (const expression of expressions) {
    const { lines, mark } = parseDockerfile(expression);
    const [line] = lines;
    if (!line || lines.length > 1) throw invalid('onbuild trigger should be a single expression');
    state = await step(build, state, readInstruction(line, mark));
  }
  return state;
};

/** Counts over all stages. */
interface Counter {
  number: number;
  readonly of: number;
}

const tellAll = async (build: Build, lines: readonly Line[]): Promise<void> => {
  for (const line of lines) await build.tell(line);
};

const tellStep = (build: Build, counter: Counter, code: string): Promise<void> =>
  tellAll(build, stepLines(counter.number++, counter.of, code));

/** `reached`: told of each image, so that what was done before a failure is not lost. */
const runStage = async (
  build: Build,
  stage: Stage,
  before: { readonly args: Args; readonly results: readonly Result[] },
  counter: Counter,
  reached: (image: Image) => void,
): Promise<State> => {
  await tellStep(build, counter, stage.code);
  let state = await pullTriggers(build, await beginStage(build, stage, before));
  await tellImage(build, state);
  for (const instruction of stage.instructions) {
    await tellStep(build, counter, instruction.code);
    state = await step(build, state, instruction);
    reached(state.image);
    await tellImage(build, state);
  }
  return state;
};

const globalArgs = async (build: Build, { global }: Stages, counter: Counter): Promise<Args> => {
  let args = noArgs(build.request.buildArgs);
  for (const instruction of global) {
    await tellStep(build, counter, instruction.code);
    const lookup = lookupIn(globalVariables(args));
    for (const { key, value } of instruction.args)
      args = declareGlobal(
        args,
        key,
        value === undefined ? undefined : expandWord(value, lookup, build.mark),
      );
  }
  return args;
};

/** Answers the last stage's image. Throws invalid. */
export const runStages = async (
  build: Build,
  { global, stages }: Stages,
  reached: (image: Image) => void,
): Promise<Image> => {
  const of = global.length + stages.reduce((sum, { instructions }) => sum + 1 + instructions.length, 0);
  const counter: Counter = { number: 1, of };
  const args = await globalArgs(build, { global, stages }, counter);
  const declared = new Set(args.global.keys());
  let results: readonly Result[] = [];
  let last: State | undefined;
  for (const stage of stages) {
    if (stage.name !== '' && results.some(({ name }) => name === stage.name))
      throw invalid(`${stage.name} stage name already used`);
    last = await runStage(build, stage, { args, results }, counter, reached);
    for (const key of last.args.declared.keys()) declared.add(key);
    if (!last.blank) await build.tell(resultLine(last.image.id));
    results = [...results, { name: stage.name, image: last.image }];
    if (results.length < stages.length) await build.drafts.keep(last.image);
  }
  const left = unused(build.request.buildArgs, declared);
  if (left.length > 0) await build.tell(unusedLine(left));
  if (!last || last.blank) throw invalid('No image was generated. Is your Dockerfile empty?');
  return last.image;
};
