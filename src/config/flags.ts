/**
 * The command line, read as dockerd (Go's pflag) reads it: `--name value`, `--name=value`, `-Hvalue`, `-H value`, `-D`;
 * a switch takes its value only after `=`. Pure.
 */
import { messageOf, ViaductError } from '../errors.js';
import type { Option } from './kinds.js';
import { ALL_OPTIONS, type OptionName, type Settings } from './options.js';

export interface Flags {
  readonly settings: Settings;
  /** `--config-file`, empty where not given */
  readonly configFile: string;
  readonly help: boolean;
  readonly version: boolean;
  readonly validate: boolean;
}

/** Flags that are no settings. */
const PLAIN = { help: true, version: true, validate: true } as const;

const fail = (message: string): never => {
  throw new ViaductError('invalid', `${message}\nSee 'viaductd --help'.`);
};

interface Known {
  readonly name: OptionName;
  readonly option: Option<unknown>;
}
const known = (test: (option: Option<unknown>) => boolean): Known | undefined => {
  for (const [name, option] of ALL_OPTIONS) if (test(option)) return { name, option };
  return undefined;
};

/** One occurrence of a flag on the command line, before its value is understood. */
interface Occurrence {
  /** as the user wrote it: `--bip`, `-H` */
  readonly written: string;
  readonly long: string;
  /** after `=` or glued to a short flag; undefined: none */
  readonly value: string | undefined;
}

const longOccurrence = (argument: string): Occurrence => {
  const at = argument.indexOf('=');
  const long = at < 0 ? argument.slice(2) : argument.slice(2, at);
  return { written: `--${long}`, long, value: at < 0 ? undefined : argument.slice(at + 1) };
};

const SHORT_PLAIN: Readonly<Record<string, string>> = { h: 'help', v: 'version' };

/** `-D`, `-Dl debug`, `-Hunix://…`: switches may be followed by further letters, others by their value. */
const shortOccurrences = (argument: string): readonly Occurrence[] => {
  const letter = argument.charAt(1);
  const rest = argument.slice(2);
  const found = known((option) => option.short === letter);
  const long =
    found?.option.flag ?? SHORT_PLAIN[letter] ?? fail(`unknown shorthand flag: '${letter}' in ${argument}`);
  const written = `-${letter}`;
  if (rest.startsWith('=')) return [{ written, long, value: rest.slice(1) }];
  if (rest !== '' && (found === undefined || found.option.kind.word === '')) {
    return [{ written, long, value: undefined }, ...shortOccurrences(`-${rest}`)];
  }
  return [{ written, long, value: rest === '' ? undefined : rest }];
};

const understand = <T>(
  option: Option<T>,
  { written }: Occurrence,
  text: string,
  before: T | undefined,
): T => {
  try {
    return option.kind.fromFlag(text, before);
  } catch (cause) {
    return fail(`invalid argument ${JSON.stringify(text)} for "${written}" flag: ${messageOf(cause)}`);
  }
};

export const parseFlags = (argv: readonly string[]): Flags => {
  const settings: { [Name in OptionName]?: unknown } = {};
  const plain = { help: false, version: false, validate: false };
  let configFile = '';
  let at = 0;

  const valueAfter = ({ written, value }: Occurrence): string => {
    if (value !== undefined) return value;
    at += 1;
    return argv[at] ?? fail(`flag needs an argument: ${written}`);
  };
  const take = (occurrence: Occurrence): void => {
    const { long, written, value } = occurrence;
    if (Object.hasOwn(PLAIN, long)) {
      plain[long as keyof typeof PLAIN] = value !== 'false'; // just checked that it is one
    } else if (long === 'config-file') {
      configFile = valueAfter(occurrence);
    } else {
      const { name, option } =
        known((each) => each.flag !== '' && each.flag === long) ?? fail(`unknown flag: ${written}`);
      const text = option.kind.word === '' ? (value ?? 'true') : valueAfter(occurrence);
      settings[name] = understand(option, occurrence, text, settings[name]);
    }
  };

  for (; at < argv.length; at += 1) {
    const argument = argv[at] ?? '';
    if (argument === '--' || !argument.startsWith('-') || argument === '-') {
      const extra = argument === '--' ? argv[at + 1] : argument;
      if (extra !== undefined) fail(`"viaductd" accepts no arguments: ${JSON.stringify(extra)}`);
      break;
    }
    for (const each of argument.startsWith('--') ? [longOccurrence(argument)] : shortOccurrences(argument))
      take(each);
  }
  return { settings: settings as Settings, configFile, ...plain }; // each value was made by its own option's kind
};
