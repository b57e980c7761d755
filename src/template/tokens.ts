/** A template's text and the words of its actions. Pure; throws TemplateError. */
import { TemplateError } from './error.js';

export interface Token {
  readonly kind: 'text' | 'string' | 'number' | 'field' | 'variable' | 'word' | 'mark' | 'over';
  /** of a string what it means, of a field `.Name` or `.`, of a variable `$name` or `$` */
  readonly text: string;
  readonly line: number;
  /** there is white space before it */
  readonly spaced?: boolean;
}

/** Words of one template: who makes it must not hold a manager's loop. */
const MOST_WORDS = 20_000;

/** What may stand in an action. Each pattern is tried where the last word ended. */
const WORDS: readonly (readonly [kind: Token['kind'], pattern: RegExp])[] = [
  ['string', /"(?:[^"\\\n]|\\[^\n])*"|`[^`]*`/y],
  ['number', /[+-]?\d+(?:\.\d+)?(?![\p{L}\d_])/uy],
  ['field', /\.(?:[\p{L}_][\p{L}\d_]*)?/uy],
  ['variable', /\$(?:[\p{L}_][\p{L}\d_]*)?/uy],
  ['word', /[\p{L}_][\p{L}\d_]*/uy],
  ['mark', /:=|[=|(),]/y],
];

const ESCAPES: Readonly<Record<string, string>> = {
  ...{ a: '\x07', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v', '\\': '\\', "'": "'", '"': '"' },
};

const meaning = (text: string, line: number): string => {
  if (text.startsWith('`')) return text.slice(1, -1);
  return text
    .slice(1, -1)
    .replace(/\\(?:x([\da-fA-F]{2})|u([\da-fA-F]{4})|(.))/gsu, (whole, byte, rune, plain: string) => {
      if (byte ?? rune) return String.fromCharCode(Number.parseInt(byte ?? rune, 16));
      const found = ESCAPES[plain];
      if (found === undefined) throw new TemplateError(`unknown escape ${whole} in a string`, line);
      return found;
    });
};

const SPACE = /[ \t\r\n]*/y;

const matchAt = (pattern: RegExp, text: string, at: number): string | undefined => {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0];
};

/** Counts lines as far as it is asked, going forward only. */
const lineCounter = (text: string): ((at: number) => number) => {
  let [line, from] = [1, 0];
  return (at) => {
    for (; from < at; from += 1) if (text[from] === '\n') line += 1;
    return line;
  };
};

export const tokensOf = (text: string): readonly Token[] => {
  const tokens: Token[] = [];
  const lineAt = lineCounter(text);
  let at = 0;
  let trims = false;

  const plain = (until: number, trimsEnd: boolean): void => {
    let found = text.slice(at, until);
    if (trims) found = found.replace(/^[ \t\r\n]+/, '');
    if (trimsEnd) found = trimEnd(found);
    if (found !== '') tokens.push({ kind: 'text', text: found, line: lineAt(at) });
  };

  /** From behind the opening braces to behind the closing ones. */
  const action = (): void => {
    for (;;) {
      const space = matchAt(SPACE, text, at) ?? '';
      at += space.length;
      const line = lineAt(at);
      trims = space !== '' && text.startsWith('-}}', at);
      if (trims || text.startsWith('}}', at)) {
        at += trims ? 3 : 2;
        tokens.push({ kind: 'mark', text: '}}', line });
        return;
      }
      if (tokens.length >= MOST_WORDS) throw new TemplateError(`it has more than ${MOST_WORDS} words`, line);
      const [kind, word] = wordAt(text, at);
      if (kind === undefined)
        throw new TemplateError(
          at >= text.length
            ? 'unclosed action'
            : `unexpected ${JSON.stringify([...text.slice(at, at + 2)][0])} in command`,
          line,
        );
      at += word.length;
      const said = kind === 'string' ? meaning(word, line) : word;
      tokens.push({ kind, text: said, line, ...(space === '' ? {} : { spaced: true }) });
    }
  };

  for (;;) {
    const open = text.indexOf('{{', at);
    if (open < 0) {
      plain(text.length, false);
      return tokens;
    }
    const trimsBefore = /^\{\{-[ \t\r\n]/.test(text.slice(open, open + 4));
    plain(open, trimsBefore);
    at = open + (trimsBefore ? 3 : 2);
    const inside = at + (matchAt(SPACE, text, at)?.length ?? 0);
    if (text.startsWith('/*', inside)) {
      const end = text.indexOf('*/', inside);
      const closed = end < 0 ? undefined : /^(?:[ \t\r\n]+-)?\}\}/.exec(text.slice(end + 2));
      if (!closed) throw new TemplateError('unclosed comment', lineAt(open));
      trims = closed[0].includes('-');
      at = end + 2 + closed[0].length;
      continue;
    }
    tokens.push({ kind: 'mark', text: '{{', line: lineAt(open) });
    action();
  }
};

/** Not by a pattern, which would try each run of white space from each of its characters. */
const trimEnd = (text: string): string => {
  let end = text.length;
  while (end > 0 && ' \t\r\n'.includes(text[end - 1] ?? '')) end -= 1;
  return text.slice(0, end);
};

const wordAt = (text: string, at: number): readonly [kind: Token['kind'] | undefined, word: string] => {
  for (const [kind, pattern] of WORDS) {
    const word = matchAt(pattern, text, at);
    if (word) return [kind, word];
  }
  return [undefined, ''];
};
