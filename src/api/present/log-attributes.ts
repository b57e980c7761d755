/**
 * What `docker logs --details` shows in front of each line: labels and variables of the container that its log's options name
 * (`--log-opt labels=a,b`, `env=`, `labels-regex=`, `env-regex=`). Those of a container never change, so they are in no line's record. Pure.
 */
import { compilePattern } from '../read/pattern.js';

type Texts = Readonly<Record<string, string>>;

/** Of whom logs are kept. */
export interface Logged {
  readonly labels: Texts;
  /** `NAME=value` */
  readonly env: readonly string[];
  /** of the log driver */
  readonly options: Texts;
}

const variables = (env: readonly string[]): Texts =>
  Object.fromEntries(
    env.flatMap((each) => {
      const at = each.indexOf('=');
      return at < 0 ? [] : [[each.slice(0, at), each.slice(at + 1)]];
    }),
  );

/** Those that the option of this name lists, and those that its expression matches. */
const chosen = (of: Texts, options: Texts, name: string): readonly (readonly [string, string])[] => {
  const listed = new Set((options[name] ?? '').split(','));
  const matches = options[`${name}-regex`] ? compilePattern(options[`${name}-regex`] ?? '') : undefined;
  return Object.entries(of).filter(([key]) => listed.has(key) || matches?.(key) === true);
};

/** As Go's `url.QueryEscape`. */
const escaped = (text: string): string =>
  encodeURIComponent(text)
    .replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll('%20', '+');

/** `a=1,b=2`, in the order of their texts; `more`: what is known of a line besides. */
export const logAttributes = ({ labels, env, options }: Logged, more: Texts = {}): string =>
  Object.entries({
    ...Object.fromEntries([...chosen(labels, options, 'labels'), ...chosen(variables(env), options, 'env')]),
    ...more,
  })
    .map(([key, value]) => `${escaped(key)}=${escaped(value)}`)
    .sort()
    .join(',');
