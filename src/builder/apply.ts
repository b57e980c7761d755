/**
 * Instructions that only change the image's configuration, applied to it; also `commit --change` and `import --change`.
 * Pure. Each answers the words that the image's history keeps of it, as Docker writes them.
 */

import { posix } from 'node:path';
import { invalid } from '../errors.js';
import type { Healthcheck } from '../model/container.js';
import type { ImageConfig } from '../model/image.js';
import { findSignal } from '../model/signals.js';
import { expandWord, expandWords, type Lookup, lookupIn } from './expand.js';
import { plainList, quotedList, showDuration } from './go.js';
import { type Command, type Instruction, readInstruction } from './instructions.js';
import { parseDockerfile } from './lines.js';
import { exposedPorts } from './ports.js';

/** The part of a stored configuration that instructions reach. */
export type Config = Partial<ImageConfig>;

export interface Configured {
  readonly config: Config;
  /** this Dockerfile has said CMD: a later ENTRYPOINT leaves it */
  readonly cmdSet: boolean;
}

const DEFAULT_SHELL = ['/bin/sh', '-c'];

export const shellOf = ({ Shell }: Config): readonly string[] =>
  Shell && Shell.length > 0 ? Shell : DEFAULT_SHELL;

export const commandLine = ({ shell, words }: Command, config: Config): readonly string[] =>
  shell && words.length > 0 ? [...shellOf(config), ...words] : words;

const withEnv = (
  env: readonly string[],
  { key, value }: { key: string; value: string },
): readonly string[] => {
  const at = env.findIndex((entry) => entry.split('=', 1)[0] === key);
  const text = `${key}=${value}`;
  return at < 0 ? [...env, text] : env.with(at, text);
};

const names = (list: readonly string[]): Readonly<Record<string, object>> =>
  Object.fromEntries(list.map((name) => [name, {}]));

const showCheck = ({ Test = [], Retries = 0, ...durations }: Healthcheck): string => {
  const fields = (['Interval', 'Timeout', 'StartPeriod', 'StartInterval'] as const).map(
    (name) => `${name}:${showDuration(durations[name] ?? 0)}`,
  );
  return `&{Test:${plainList(Test)} ${fields.join(' ')} Retries:${Retries}}`;
};

/** Joined to the directory before where it is relative. Throws invalid. */
const workdir = (before: string, path: string): string => {
  if (path === '') throw invalid('cannot normalize nothing');
  return path.startsWith('/') ? path : posix.join('/', before, path);
};

const joined = (pairs: readonly { readonly key: string; readonly value: string }[]): string =>
  pairs.map(({ key, value }) => ` ${key}=${value}`).join('');

/** Variables put into an instruction's words, where Docker puts them. Throws invalid. */
export const expanded = <T extends Instruction>(instruction: T, lookup: Lookup, mark: string): T => {
  const word = (text: string): string => expandWord(text, lookup, mark);
  const change = (): Partial<Record<string, unknown>> => {
    switch (instruction.kind) {
      case 'env':
      case 'label':
        if (instruction.kind === 'label' && instruction.literal) return {};
        return { pairs: instruction.pairs.map(({ key, value }) => ({ key: word(key), value: word(value) })) };
      case 'arg':
        return {
          args: instruction.args.map(({ key, value }) => ({
            key: word(key),
            ...(value === undefined ? {} : { value: word(value) }),
          })),
        };
      case 'add':
      case 'copy':
        return {
          sources: instruction.sources.map(word),
          destination: word(instruction.destination),
          chown: word(instruction.chown),
        };
      case 'user':
      case 'workdir':
      case 'stopsignal':
        return { text: word(instruction.text) };
      case 'volume':
        return { words: instruction.words.map(word) };
      case 'expose':
        return { words: instruction.words.flatMap((each) => expandWords(each, lookup, mark)) };
      default:
        return {};
    }
  };
  return { ...instruction, ...change() };
};

export interface Applied extends Configured {
  /** for the history: `ENV a=b` */
  readonly words: string;
}

/** Undefined where the instruction is more than a change of the configuration. Throws invalid. */
export const applied = ({ config, cmdSet }: Configured, instruction: Instruction): Applied | undefined => {
  const answer = (change: Config, words: string, set = cmdSet): Applied => ({
    config: { ...config, ...change },
    cmdSet: set,
    words,
  });
  switch (instruction.kind) {
    case 'env': {
      const Env = instruction.pairs.reduce(withEnv, config.Env ?? []);
      return answer({ Env }, `ENV${joined(instruction.pairs)}`);
    }
    case 'label': {
      const Labels = Object.fromEntries(instruction.pairs.map(({ key, value }) => [key, value]));
      return answer({ Labels: { ...config.Labels, ...Labels } }, `LABEL${joined(instruction.pairs)}`);
    }
    case 'cmd': {
      const Cmd = commandLine(instruction.command, config);
      const set = cmdSet || instruction.command.words.length > 0;
      return answer({ Cmd }, `CMD ${quotedList(Cmd)}`, set);
    }
    case 'entrypoint': {
      const words = commandLine(instruction.command, config);
      const Entrypoint = words.length > 0 ? words : null;
      return answer({ Entrypoint, ...(cmdSet ? {} : { Cmd: null }) }, `ENTRYPOINT ${quotedList(words)}`);
    }
    case 'expose': {
      const ports = names(instruction.words.flatMap(exposedPorts));
      return answer(
        { ExposedPorts: { ...config.ExposedPorts, ...ports } },
        `EXPOSE ${instruction.words.join(' ')}`,
      );
    }
    case 'healthcheck':
      return answer({ Healthcheck: instruction.check }, `HEALTHCHECK ${showCheck(instruction.check)}`);
    case 'maintainer':
      return answer({}, `MAINTAINER ${instruction.text}`);
    case 'onbuild':
      return answer(
        { OnBuild: [...(config.OnBuild ?? []), instruction.text] },
        `ONBUILD ${instruction.text}`,
      );
    case 'shell':
      return answer({ Shell: instruction.words }, `SHELL ${plainList(instruction.words)}`);
    case 'stopsignal':
      if (findSignal(instruction.text) === undefined) throw invalid(`invalid signal: ${instruction.text}`);
      return answer({ StopSignal: instruction.text }, `STOPSIGNAL ${instruction.text}`);
    case 'user':
      return answer({ User: instruction.text }, `USER ${instruction.text}`);
    case 'volume': {
      if (instruction.words.includes('')) throw invalid('VOLUME specified can not be an empty string');
      const Volumes = { ...config.Volumes, ...names(instruction.words) };
      return answer({ Volumes }, `VOLUME ${plainList(instruction.words)}`);
    }
    case 'workdir': {
      const WorkingDir = workdir(config.WorkingDir ?? '', instruction.text);
      return answer({ WorkingDir }, `WORKDIR ${WorkingDir}`);
    }
    default:
      return undefined;
  }
};

const ALLOWED = new Set([
  'cmd',
  'entrypoint',
  'healthcheck',
  'env',
  'expose',
  'label',
  'onbuild',
  'stopsignal',
  'user',
  'volume',
  'workdir',
]);

const isEmpty = (lines: readonly string[]): boolean => lines.every((line) => line.trim() === '');

/** For `--change`: only what is a mere change of configuration. Throws invalid. */
export const applyChanges = (config: Config, changes: readonly string[]): Config => {
  if (isEmpty(changes)) return config;
  const { lines, mark } = parseDockerfile(changes.join('\n'));
  const instructions = lines.map((line) => {
    if (!ALLOWED.has(line.name.toLowerCase())) throw invalid(`${line.name} is not a valid change command`);
    return readInstruction(line, mark);
  });
  const start: Configured = { config, cmdSet: false };
  return instructions.reduce((before, instruction) => {
    return applied(before, expanded(instruction, lookupIn(before.config.Env ?? []), mark)) ?? before;
  }, start).config;
};
