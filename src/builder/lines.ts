/**
 * A Dockerfile's text → its instructions as lines: parser directives, comments, continuations, flags. Pure; what each
 * instruction means is read in `instructions.ts`.
 */
import { invalid, messageOf } from '../errors.js';
import { jsonList, splitWords, takeFlags } from './words.js';

export interface Line {
  /** the instruction as written, e.g. `run` */
  readonly name: string;
  readonly flags: readonly string[];
  readonly rest: string;
  /** the whole line, continuations joined */
  readonly code: string;
  /** of its beginning, counted from 1 */
  readonly number: number;
}

export interface Dockerfile {
  readonly lines: readonly Line[];
  /** `\` or a backtick */
  readonly mark: string;
  readonly warnings: readonly string[];
}

const DIRECTIVE = /^#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+?)\s*$/;
const KNOWN = new Set(['syntax', 'escape', 'check']);

/** Directives stand before everything else; `syntax` and `check` belong to BuildKit and mean nothing here. Throws invalid. */
const escapeToken = (lines: readonly string[]): string => {
  const seen = new Map<string, string>();
  for (const line of lines) {
    const [, name = '', value = ''] = DIRECTIVE.exec(line.trim()) ?? [];
    const key = name.toLowerCase();
    if (!KNOWN.has(key)) break;
    if (seen.has(key)) throw invalid(`only one ${key} parser directive can be used`);
    seen.set(key, value);
  }
  const mark = seen.get('escape') ?? '\\';
  if (mark !== '\\' && mark !== '`') throw invalid(`invalid escape token '${mark}' does not match \` or \\`);
  return mark;
};

const isComment = (line: string): boolean => line.trimStart().startsWith('#');

/** Without the mark at its end, where one says that the line goes on; undefined where it does not. */
const continued = (line: string, mark: string): string | undefined => {
  const bare = line.replace(/[ \t]+$/, '');
  if (!bare.endsWith(mark)) return undefined;
  const before = bare.slice(0, -1);
  return before.endsWith(mark) ? undefined : before;
};

/** One instruction's lines joined: comments and empty lines between them are passed over. */
const joinLines = (
  lines: readonly string[],
  start: number,
  mark: string,
): { readonly text: string; readonly next: number; readonly gap: boolean } => {
  let text = '';
  let gap = false;
  let at = start;
  for (let open = true; open && at < lines.length; at++) {
    const line = lines[at] ?? '';
    if (at > start && isComment(line)) continue;
    if (at > start && line.trim() === '') {
      gap = true;
      continue;
    }
    const part = at === start ? line.trimStart() : line;
    const more = continued(part, mark);
    text += more ?? part;
    open = more !== undefined;
  }
  return { text, next: at, gap };
};

const HEREDOC = /^\d*<<-?\s*[^<\s]+$/;
const TAKES_HEREDOC = /^(?:onbuild\s+)?(?:add|copy|run)\s/i;

const NEEDS_BUILDKIT =
  'requires BuildKit. Refer to https://docs.docker.com/go/buildkit/ to learn how to build images with BuildKit enabled';

export const needsBuildKit = (what: string) => invalid(`the ${what} ${NEEDS_BUILDKIT}`);

/** The lines below would be read as instructions of their own, so a heredoc is refused where it begins. */
const refuseHeredoc = (code: string, rest: string, mark: string): void => {
  if (!code.includes('<<') || !TAKES_HEREDOC.test(code) || jsonList(rest)) return;
  if (splitWords(code, mark).some((word) => HEREDOC.test(word))) throw needsBuildKit('heredoc syntax (<<)');
};

const lineOf = (text: string, number: number, mark: string): Line => {
  const code = text.trim();
  const [, name = code, args = ''] = /^([^\t\v\f\r ]+)[\t\v\f\r ]+([\s\S]*)$/.exec(code) ?? [];
  const { flags, rest } = takeFlags(args, mark);
  refuseHeredoc(code, rest.trim(), mark);
  return { name, flags, rest: rest.trim(), code, number };
};

/** An instruction standing alone, as in ONBUILD. */
export const parseLine = (text: string, mark: string): Line => lineOf(text, 1, mark);

/** What is wrong with a line, told with its number. */
export const located = <T>(number: number, work: () => T): T => {
  try {
    return work();
  } catch (error) {
    throw invalid(`dockerfile parse error on line ${number}: ${messageOf(error)}`, error);
  }
};

/** Throws invalid. */
export const parseDockerfile = (text: string): Dockerfile => {
  const source = text
    .replace(/^\ufeff/, '')
    .split('\n')
    .map((line) => line.replace(/\r+$/, ''));
  const mark = escapeToken(source);
  const lines: Line[] = [];
  const warnings: string[] = [];
  for (let at = 0; at < source.length; ) {
    const line = source[at] ?? '';
    if (line.trim() === '' || isComment(line)) {
      at += 1;
      continue;
    }
    const joined = joinLines(source, at, mark);
    if (joined.gap) warnings.push(`Empty continuation line found in: ${joined.text}`);
    const number = at + 1;
    if (joined.text.trim() !== '') lines.push(located(number, () => lineOf(joined.text, number, mark)));
    at = joined.next;
  }
  if (lines.length === 0) throw invalid('file with no instructions');
  return { lines, mark, warnings };
};
