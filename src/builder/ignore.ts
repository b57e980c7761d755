/**
 * The builder's part of .dockerignore. The client leaves the files out that it names; what is left is to forget the
 * Dockerfile and the .dockerignore themselves, which the client has to send. Pure.
 */
import { posix } from 'node:path';
import { ignorePattern, matches, type Pattern } from './glob.js';

interface Rule {
  readonly pattern: Pattern;
  /** `!pattern`: in again */
  readonly exception: boolean;
}

const ruleOf = (line: string): Rule => {
  const exception = line.startsWith('!');
  const text = (exception ? line.slice(1) : line).trim();
  const clean =
    text === ''
      ? ''
      : posix
          .normalize(text)
          .replace(/^\/+(?=.)/, '')
          .replace(/(.)\/$/, '$1');
  return { pattern: ignorePattern(clean), exception };
};

/** A comment begins at a line's very start. Throws invalid for a broken pattern. */
export const parseIgnore = (text: string): readonly Rule[] =>
  text
    .replace(/^\ufeff/, '')
    .split('\n')
    .filter((line) => !line.startsWith('#'))
    .map((line) => line.trim())
    .filter((line) => line !== '' && line !== '!' && line !== '.')
    .map(ruleOf);

/** Whether the last rule that matches the path, or a directory above it, leaves it out. */
export const isIgnored = (path: string, rules: readonly Rule[]): boolean => {
  const names = posix.normalize(path).split('/');
  const paths = names.map((_, index) => names.slice(0, index + 1).join('/'));
  return rules.reduce(
    (ignored, { pattern, exception }) =>
      paths.some((each) => matches(pattern, each)) ? !exception : ignored,
    false,
  );
};
