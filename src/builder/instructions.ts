/** A Dockerfile's lines read as what they ask for, each with the arguments it must have; and grouped into stages. Pure. */

import { invalid } from '../errors.js';
import type { Healthcheck } from '../model/container.js';
import { parseDuration } from './go.js';
import { type Line, located, needsBuildKit, parseLine } from './lines.js';
import { byBlanks, jsonList, type Pair, pairs, splitWords } from './words.js';

/** JSON form: the words as they are; shell form: one word for the shell. */
export interface Command {
  readonly shell: boolean;
  readonly words: readonly string[];
}

export interface CopyRequest {
  readonly sources: readonly string[];
  readonly destination: string;
  readonly chown: string;
  /** a stage or an image; empty: the context */
  readonly from: string;
  /** flags that only BuildKit has; refused when the step is reached, as Docker does */
  readonly foreign: readonly string[];
}

type Request =
  | { readonly kind: 'arg'; readonly args: readonly { readonly key: string; readonly value?: string }[] }
  | { readonly kind: 'env'; readonly pairs: readonly Pair[] }
  /** `literal`: of the command line, where nothing is expanded */
  | { readonly kind: 'label'; readonly pairs: readonly Pair[]; readonly literal: boolean }
  | { readonly kind: 'maintainer' | 'user' | 'workdir' | 'stopsignal' | 'onbuild'; readonly text: string }
  | ({ readonly kind: 'add' | 'copy' } & CopyRequest)
  | { readonly kind: 'run'; readonly command: Command; readonly foreign: readonly string[] }
  | { readonly kind: 'cmd' | 'entrypoint'; readonly command: Command }
  | { readonly kind: 'shell' | 'volume' | 'expose'; readonly words: readonly string[] }
  | { readonly kind: 'healthcheck'; readonly check: Healthcheck };

/** An instruction with its text, as `Step 2/5 : …` shows it. */
export type Instruction = Request & { readonly code: string };

export interface Stage {
  readonly code: string;
  readonly base: string;
  /** lower case; empty: none */
  readonly name: string;
  readonly platform: string;
  readonly instructions: readonly Instruction[];
}

export interface Stages {
  /** ARGs before the first FROM */
  readonly global: readonly (Instruction & { readonly kind: 'arg' })[];
  readonly stages: readonly Stage[];
}

interface Parsing {
  readonly line: Line;
  readonly mark: string;
  /** the instruction in capitals */
  readonly name: string;
}

/** `--name=value` flags of those that are known. Throws invalid. */
const flagsOf = ({ line }: Parsing, known: readonly string[], booleans: readonly string[] = []) => {
  const found = new Map<string, string>();
  for (const flag of line.flags) {
    const [, name = '', , value] = /^--([^=]*)(=([\s\S]*))?$/.exec(flag) ?? [];
    if (!known.includes(name) && !booleans.includes(name)) throw invalid(`unknown flag: --${name}`);
    if (found.has(name) && !REPEATABLE.includes(name)) throw invalid(`duplicate flag specified: --${name}`);
    if (value === undefined && !booleans.includes(name)) throw invalid(`missing a value on flag: --${name}`);
    found.set(name, value ?? 'true');
  }
  return found;
};
const REPEATABLE = ['mount', 'exclude', 'device'];

const single = (parsing: Parsing): string => {
  if (parsing.line.rest === '') throw invalid(`${parsing.name} requires exactly one argument`);
  return parsing.line.rest;
};

const atLeastOne = (parsing: Parsing, words: readonly string[]): readonly string[] => {
  if (words.length === 0) throw invalid(`${parsing.name} requires at least one argument`);
  return words;
};

const commandOf = (text: string): Command => {
  const list = jsonList(text);
  return { shell: list === undefined, words: list ?? (text === '' ? [] : [text]) };
};

const COPY_FLAGS = ['chown', 'chmod', 'checksum', 'exclude'];
const COPY_SWITCHES = ['link', 'parents', 'keep-git-dir', 'unpack'];

/** `--link` makes the same files otherwise: what it means is how BuildKit stores them. */
const HARMLESS = ['chown', 'from', 'link'];

const copy = (parsing: Parsing, kind: 'add' | 'copy'): Request => {
  const words = jsonList(parsing.line.rest) ?? byBlanks(parsing.line.rest);
  if (words.length < 2)
    throw invalid(
      `${parsing.name} requires at least two arguments, but only one was provided. Destination could not be determined`,
    );
  const flags = flagsOf(parsing, kind === 'copy' ? [...COPY_FLAGS, 'from'] : COPY_FLAGS, COPY_SWITCHES);
  return {
    kind,
    sources: words.slice(0, -1),
    destination: words.at(-1) ?? '',
    chown: flags.get('chown') ?? '',
    from: flags.get('from') ?? '',
    foreign: [...flags.keys()].filter((name) => !HARMLESS.includes(name)),
  };
};

const DURATIONS = [
  ['interval', 'Interval'],
  ['timeout', 'Timeout'],
  ['start-period', 'StartPeriod'],
  ['start-interval', 'StartInterval'],
] as const;

const duration = (name: string, text: string): number => {
  const value = parseDuration(text);
  if (value !== 0 && value < 1e6) throw invalid(`Interval "${name}" cannot be less than 1ms`);
  return value;
};

const retries = (text: string): number => {
  if (!/^[+-]?\d{1,9}$/.test(text))
    throw invalid(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
  if (Number(text) < 0) throw invalid(`--retries cannot be negative (${Number(text)})`);
  return Number(text);
};

const healthcheck = (parsing: Parsing): Request => {
  const [, word = '', test = ''] = /^(\S+)\s*([\s\S]*)$/.exec(parsing.line.rest) ?? [];
  if (word === '') throw invalid('HEALTHCHECK requires at least one argument');
  if (word.toUpperCase() === 'NONE') {
    if (test !== '') throw invalid('HEALTHCHECK NONE takes no arguments');
    return { kind: 'healthcheck', check: { Test: ['NONE'] } };
  }
  const flags = flagsOf(parsing, [...DURATIONS.map(([name]) => name), 'retries']);
  if (word.toUpperCase() !== 'CMD')
    throw invalid(`Unknown type ${JSON.stringify(word.toUpperCase())} in HEALTHCHECK (try CMD)`);
  const { shell, words } = commandOf(test);
  if (words.length === 0) throw invalid('Missing command after HEALTHCHECK CMD');
  const durations = DURATIONS.flatMap(([name, field]) => {
    const value = duration(name, flags.get(name) || '0');
    return value === 0 ? [] : [[field, value] as const];
  });
  const number = flags.get('retries') ? retries(flags.get('retries') ?? '') : 0;
  return {
    kind: 'healthcheck',
    check: {
      Test: [shell ? 'CMD-SHELL' : 'CMD', ...words],
      ...Object.fromEntries(durations),
      ...(number === 0 ? {} : { Retries: number }),
    },
  };
};

const volume = (parsing: Parsing): Request => {
  const { rest } = parsing.line;
  const words = atLeastOne(parsing, jsonList(rest) ?? byBlanks(rest)).map((word) => word.trim());
  if (words.includes('')) throw invalid('VOLUME specified can not be an empty string');
  return { kind: 'volume', words };
};

const shell = (parsing: Parsing): Request => {
  const { rest, code } = parsing.line;
  const words = jsonList(rest);
  if (rest === '' || words?.length === 0) throw invalid('SHELL requires at least one argument');
  if (!words) throw invalid(`SHELL requires the arguments to be in JSON form, not ${code}`);
  return { kind: 'shell', words };
};

const arg = (parsing: Parsing): Request => {
  const words = atLeastOne(parsing, splitWords(parsing.line.rest, parsing.mark));
  const args = words.map((word) => {
    const at = word.indexOf('=');
    if (at === 0) throw invalid('ARG names can not be blank');
    return at < 0 ? { key: word } : { key: word.slice(0, at), value: word.slice(at + 1) };
  });
  return { kind: 'arg', args };
};

/** The trigger is read only where an image is built on this one. */
const onbuild = (parsing: Parsing): Request => {
  const text = parsing.line.code.replace(/^\s*ONBUILD\s*/i, '');
  if (text === '') throw invalid('ONBUILD requires at least one argument');
  const trigger = parseLine(text, parsing.mark).name.toUpperCase();
  if (trigger === 'ONBUILD') throw invalid("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
  if (trigger === 'MAINTAINER' || trigger === 'FROM')
    throw invalid(`${trigger} isn't allowed as an ONBUILD trigger`);
  return { kind: 'onbuild', text };
};

/** An instruction that has no flags. */
const plain =
  (read: (parsing: Parsing) => Request) =>
  (parsing: Parsing): Request => {
    flagsOf(parsing, []);
    return read(parsing);
  };

const text = (kind: 'maintainer' | 'user' | 'workdir' | 'stopsignal') =>
  plain((parsing) => ({ kind, text: single(parsing) }));

const command = (kind: 'cmd' | 'entrypoint') =>
  plain(({ line }) => ({ kind, command: commandOf(line.rest) }));

const READERS: Readonly<Record<string, (parsing: Parsing) => Request>> = {
  ADD: (parsing) => copy(parsing, 'add'),
  ARG: arg,
  CMD: command('cmd'),
  COPY: (parsing) => copy(parsing, 'copy'),
  ENTRYPOINT: command('entrypoint'),
  ENV: plain(({ line, mark }) => ({ kind: 'env', pairs: pairs('ENV', line.rest, mark) })),
  EXPOSE: plain((parsing) => ({
    kind: 'expose',
    words: [...atLeastOne(parsing, byBlanks(parsing.line.rest))].sort(),
  })),
  HEALTHCHECK: healthcheck,
  LABEL: plain(({ line, mark }) => ({
    kind: 'label',
    pairs: pairs('LABEL', line.rest, mark),
    literal: false,
  })),
  MAINTAINER: text('maintainer'),
  ONBUILD: onbuild,
  RUN: (parsing) => {
    const flags = flagsOf(parsing, ['mount', 'network', 'security', 'device']);
    return { kind: 'run', command: commandOf(parsing.line.rest), foreign: [...flags.keys()] };
  },
  SHELL: plain(shell),
  STOPSIGNAL: text('stopsignal'),
  USER: text('user'),
  VOLUME: plain(volume),
  WORKDIR: text('workdir'),
};

/** Throws invalid. FROM is none of them: it begins a stage. */
export const readInstruction = (line: Line, mark: string): Instruction => {
  const name = line.name.toUpperCase();
  const reader = Object.hasOwn(READERS, name) ? READERS[name] : undefined;
  if (!reader) throw invalid(`unknown instruction: ${line.name}`);
  return { ...reader({ line, mark, name }), code: line.code };
};

const STAGE_NAME = /^[a-z][a-z0-9_.-]*$/;

const readFrom = (line: Line, mark: string): Stage => {
  const [base = '', as, name, ...more] = byBlanks(line.rest);
  const named = as?.toLowerCase() === 'as' && name !== undefined && more.length === 0;
  if (base === '' || (as !== undefined && !named))
    throw invalid('FROM requires either one or three arguments');
  if (named && !STAGE_NAME.test(name.toLowerCase()))
    throw invalid(
      `invalid name for build stage: ${JSON.stringify(name)}, name can't start with a number or contain symbols`,
    );
  const flags = flagsOf({ line, mark, name: 'FROM' }, ['platform']);
  return {
    code: line.code,
    base,
    name: named ? name.toLowerCase() : '',
    platform: flags.get('platform') ?? '',
    instructions: [],
  };
};

/** Throws invalid, with the number of the line. */
export const readStages = (lines: readonly Line[], mark: string): Stages => {
  const global: (Instruction & { readonly kind: 'arg' })[] = [];
  const stages: (Stage & { instructions: Instruction[] })[] = [];
  const read = (line: Line): void => {
    if (line.name.toUpperCase() === 'FROM') {
      stages.push({ ...readFrom(line, mark), instructions: [] });
      return;
    }
    const instruction = readInstruction(line, mark);
    if (stages.length > 0) stages.at(-1)?.instructions.push(instruction);
    else if (instruction.kind === 'arg') global.push(instruction);
    else throw invalid('no build stage in current context');
  };
  for (const line of lines) located(line.number, () => read(line));
  return { global, stages };
};

/** The stages up to the one that is wanted, by name (in any case) or number; all where none is. Throws invalid. */
export const stagesUpTo = (stages: readonly Stage[], target: string): readonly Stage[] => {
  if (target === '') return stages;
  const named = stages.findLastIndex(({ name }) => name !== '' && name === target.toLowerCase());
  const number = /^\d{1,6}$/.test(target) ? Number(target) : -1;
  const at = named >= 0 ? named : number;
  if (at < 0 || at >= stages.length)
    throw invalid(`target stage ${JSON.stringify(target)} could not be found`);
  return stages.slice(0, at + 1);
};

/** `--label`s become a last instruction each, in the order of their names. */
export const labelInstructions = (labels: Readonly<Record<string, string>>): readonly Instruction[] =>
  Object.entries(labels)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => ({
      kind: 'label',
      pairs: [{ key, value }],
      literal: true,
      code: `LABEL ${key}=${value}`,
    }));

/** Throws invalid in the classic builder's words where flags are BuildKit's. */
export const refuseForeign = (flags: readonly string[]): void => {
  const [first] = flags;
  if (first !== undefined) throw needsBuildKit(`--${first} option`);
};
