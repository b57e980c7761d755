/**
 * Dockerfile instructions applied to a configuration, for `commit --change` and `import --change`. Pure; refuses what
 * cannot be a mere change of configuration (RUN, COPY…) with Docker's text.
 */
import { invalid } from '../errors.js';
import type { ImageConfig } from '../model/image.js';

/** The part of a stored configuration that instructions reach. */
export type Config = Partial<ImageConfig> & { readonly OnBuild?: readonly string[] };

type Apply = (config: Config, rest: string) => Config;

const SECONDS: Readonly<Record<string, number>> = { ms: 1e6, s: 1e9, m: 60e9, h: 3600e9 };

/** `1m30s` → nanoseconds. */
const nanoseconds = (text: string): number => {
  const parts = text.match(/^(?:\d+(?:\.\d+)?(?:ms|s|m|h))+$/)
    ? text.match(/\d+(?:\.\d+)?(?:ms|s|m|h)/g)
    : null;
  if (!parts || text.length > 32) throw invalid(`invalid duration ${text}`);
  return parts.reduce((sum, part) => {
    const unit = /[a-z]+$/.exec(part)?.[0] ?? 's';
    return sum + Number.parseFloat(part) * (SECONDS[unit] ?? 0);
  }, 0);
};

const jsonList = (text: string): readonly string[] | undefined => {
  if (!text.startsWith('[')) return undefined;
  try {
    const list: unknown = JSON.parse(text);
    return Array.isArray(list) && list.every((item) => typeof item === 'string') ? list : undefined;
  } catch {
    return undefined;
  }
};

/** JSON form as it is, else through the shell. */
const command = (text: string): readonly string[] => jsonList(text) ?? ['/bin/sh', '-c', text];

/** Words with quotes and backslashes undone, as Dockerfiles write `KEY="a b" C=d`. */
export const words = (text: string): readonly string[] => {
  const found: string[] = [];
  let [word, quote, open] = ['', '', false];
  for (let i = 0; i < text.length; i++) {
    const char = text[i] ?? '';
    if (char === '\\' && quote !== "'") [word, open] = [word + (text[++i] ?? ''), true];
    else if (quote) [word, quote] = char === quote ? [word, ''] : [word + char, quote];
    else if (char === '"' || char === "'") [quote, open] = [char, true];
    else if (/\s/.test(char)) {
      if (open) found.push(word);
      [word, open] = ['', false];
    } else [word, open] = [word + char, true];
  }
  if (quote) throw invalid(`unexpected end of statement while looking for matching ${quote}`);
  return open ? [...found, word] : found;
};

/** `K=V K2=V2`, or the old form `K the rest`. */
const pairs = (instruction: string, text: string): readonly (readonly [string, string])[] => {
  const list = words(text);
  const [first = ''] = list;
  if (!first.includes('=')) {
    const value = text.slice(first.length).trim();
    if (!value) throw invalid(`${instruction} must have two arguments`);
    return [[first, value]];
  }
  return list.map((word) => {
    const at = word.indexOf('=');
    if (at <= 0)
      throw invalid(
        `Syntax error - can't find = in ${JSON.stringify(word)}. Must be of the form: name=value`,
      );
    return [word.slice(0, at), word.slice(at + 1)];
  });
};

const withEnv = (env: readonly string[], [key, value]: readonly [string, string]): readonly string[] => [
  ...env.filter((entry) => !entry.startsWith(`${key}=`)),
  `${key}=${value}`,
];

const PORT = /^(\d{1,5})(?:-(\d{1,5}))?(?:\/(tcp|udp|sctp))?$/;

/** `80`, `80/udp`, `8000-8005` → keys of ExposedPorts. */
const exposed = (word: string): readonly string[] => {
  const [, low = '', high = low, protocol = 'tcp'] = PORT.exec(word.toLowerCase()) ?? [];
  const [first, last] = [Number(low), Number(high)];
  if (!low || first < 1 || last > 65_535 || last < first) throw invalid(`invalid containerPort: ${word}`);
  return Array.from({ length: last - first + 1 }, (_, index) => `${first + index}/${protocol}`);
};

const keys = (names: readonly string[]): Readonly<Record<string, object>> =>
  Object.fromEntries(names.map((name) => [name, {}]));

const HEALTH_FLAGS: Readonly<Record<string, string>> = {
  interval: 'Interval',
  timeout: 'Timeout',
  'start-period': 'StartPeriod',
  'start-interval': 'StartInterval',
  retries: 'Retries',
};

const healthcheck = (text: string): unknown => {
  if (text.trim().toUpperCase() === 'NONE') return { Test: ['NONE'] };
  const at = /(?:^|\s)CMD\s/i.exec(text);
  if (!at) throw invalid('HEALTHCHECK requires CMD or NONE');
  const flags = words(text.slice(0, at.index)).map((word) => {
    const [, name = '', value = ''] = /^--([a-z-]+)=(.+)$/.exec(word) ?? [];
    const field = HEALTH_FLAGS[name];
    if (!field) throw invalid(`unknown flag: ${word}`);
    return [field, name === 'retries' ? Number(value) : nanoseconds(value)];
  });
  const test = text.slice(at.index + at[0].length).trim();
  const list = jsonList(test);
  return { ...Object.fromEntries(flags), Test: list ? ['CMD', ...list] : ['CMD-SHELL', test] };
};

const INSTRUCTIONS: Readonly<Record<string, Apply>> = {
  CMD: (config, rest) => ({ ...config, Cmd: command(rest) }),
  ENTRYPOINT: (config, rest) => ({ ...config, Entrypoint: command(rest) }),
  ENV: (config, rest) => ({ ...config, Env: pairs('ENV', rest).reduce(withEnv, config.Env ?? []) }),
  LABEL: (config, rest) => ({
    ...config,
    Labels: { ...config.Labels, ...Object.fromEntries(pairs('LABEL', rest)) },
  }),
  EXPOSE: (config, rest) => ({
    ...config,
    ExposedPorts: { ...config.ExposedPorts, ...keys(words(rest).flatMap(exposed)) },
  }),
  VOLUME: (config, rest) => ({
    ...config,
    Volumes: { ...config.Volumes, ...keys(jsonList(rest) ?? words(rest)) },
  }),
  USER: (config, rest) => ({ ...config, User: rest }),
  WORKDIR: (config, rest) => ({
    ...config,
    WorkingDir: rest.startsWith('/') ? rest : `${config.WorkingDir || ''}/${rest}`,
  }),
  STOPSIGNAL: (config, rest) => ({ ...config, StopSignal: rest }),
  HEALTHCHECK: (config, rest) => ({ ...config, Healthcheck: healthcheck(rest) }),
  ONBUILD: (config, rest) => ({ ...config, OnBuild: [...(config.OnBuild ?? []), rest] }),
};

const applyOne = (config: Config, line: string): Config => {
  const text = line.trim();
  const name = /^[A-Za-z]+/.exec(text)?.[0] ?? '';
  const rest = text.slice(name.length).trim();
  const apply = Object.hasOwn(INSTRUCTIONS, name.toUpperCase()) && INSTRUCTIONS[name.toUpperCase()];
  if (!apply || !rest) throw invalid(`${name.toLowerCase() || line} is not a valid change command`);
  return apply(config, rest);
};

/** Throws invalid. */
export const applyDirectives = (config: Config, lines: readonly string[]): Config =>
  lines.filter((line) => line.trim()).reduce(applyOne, config);
