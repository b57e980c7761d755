/**
 * Regular expressions of users (`--filter name=^web`) in Go's syntax, matched in time linear in the text, as Go's own
 * engine does: nothing that a client sends backtracks.
 */

import { createRequire } from 'node:module';
import { attempt } from '../../errors.js';

/** Loaded when the first expression comes: its tables take 10 ms and some MiB that most daemons never need. */
const engine = () => createRequire(import.meta.url)('re2js') as typeof import('re2js');

/** Longer patterns are refused; filters name things. */
const LONGEST_PATTERN = 1000;

/** True where the expression matches anywhere in the text; undefined: not an expression. */
export const compilePattern = (source: string): ((text: string) => boolean) | undefined => {
  if (source.length > LONGEST_PATTERN) return undefined;
  const compiled = attempt(() => engine().RE2JS.compile(source));
  return compiled && ((text) => compiled.matcher(text).find());
};
