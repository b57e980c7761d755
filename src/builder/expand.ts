/**
 * Variables in a Dockerfile's words, as a shell would put them in: `$NAME`, `${NAME}`, `${NAME:-word}`, `${NAME#pattern}`,
 * `${NAME/pattern/text}`; quotes and escapes are undone on the way. Pure.
 */
import { invalid, messageOf } from '../errors.js';
import { replaced, withoutBeginning, withoutEnd } from './glob.js';

export type Lookup = (name: string) => string | undefined;

/** A value's blanks split words, quoted text never does. */
interface Piece {
  readonly text: string;
  readonly splits: boolean;
}

const SPECIAL = '@*#?-$!0';

class Reader {
  #at = 0;
  constructor(
    readonly text: string,
    readonly lookup: Lookup,
    readonly mark: string,
  ) {}

  get #next(): string {
    return this.text[this.#at] ?? '';
  }

  #take(): string {
    return this.text[this.#at++] ?? '';
  }

  get done(): boolean {
    return this.#at >= this.text.length;
  }

  /** Up to `stop`, which is taken too; empty: to the end. `raw`: escapes are kept, for patterns. */
  pieces(stop = '', raw = false): readonly Piece[] {
    const pieces: Piece[] = [];
    while (!this.done) {
      if (stop !== '' && this.#next === stop) {
        this.#at += 1;
        return pieces;
      }
      pieces.push(this.#piece(raw));
    }
    if (stop === '') return pieces;
    throw invalid(stop === '}' ? "syntax error: missing '}'" : "syntax error: missing '/' in a substitution");
  }

  #piece(raw: boolean): Piece {
    switch (this.#next) {
      case "'":
        return { text: this.#singleQuoted(), splits: false };
      case '"':
        return { text: this.#doubleQuoted(raw), splits: false };
      case '$':
        return { text: this.#variable(), splits: true };
    }
    const char = this.#take();
    if (char !== this.mark) return { text: char, splits: true };
    const escaped = this.#take();
    return { text: raw ? char + escaped : escaped, splits: false };
  }

  #singleQuoted(): string {
    const end = this.text.indexOf("'", this.#at + 1);
    if (end < 0) throw invalid('unexpected end of statement while looking for matching single-quote');
    const inside = this.text.slice(this.#at + 1, end);
    this.#at = end + 1;
    return inside;
  }

  #doubleQuoted(raw: boolean): string {
    this.#at += 1;
    let inside = '';
    while (!this.done) {
      if (this.#next === '$') {
        inside += this.#variable();
        continue;
      }
      const char = this.#take();
      if (char === '"') return inside;
      if (char !== this.mark) {
        inside += char;
        continue;
      }
      if (raw) inside += char;
      if (this.#next !== '' && `"$${this.mark}`.includes(this.#next)) inside += this.#take();
      else if (!raw) inside += char;
    }
    throw invalid('unexpected end of statement while looking for matching double-quote');
  }

  #name(): string {
    const rest = this.text.slice(this.#at);
    const name = /^\d+/.exec(rest)?.[0] ?? /^[\p{L}_][\p{L}\p{Nd}_]*/u.exec(rest)?.[0];
    const found = name ?? (SPECIAL.includes(rest[0] ?? ' ') ? (rest[0] ?? '') : '');
    this.#at += found.length;
    return found;
  }

  #variable(): string {
    this.#at += 1;
    if (this.#next === '{') return this.#braced();
    const name = this.#name();
    return name === '' ? '$' : (this.lookup(name) ?? '');
  }

  #braced(): string {
    this.#at += 1;
    if (this.done) throw invalid("syntax error: missing '}'");
    if ('{}:'.includes(this.#next)) throw invalid('syntax error: bad substitution');
    const name = this.#name();
    const sign = this.#take();
    if (sign === '') throw invalid("syntax error: missing '}'");
    if (sign === '}') return this.lookup(name) ?? '';
    if (sign === '/') return this.#replaced(name);
    const nullIsUnset = sign === ':';
    const modifier = nullIsUnset ? this.#take() : sign;
    const isPattern = modifier === '#' || modifier === '%';
    if (!'+-?#%'.includes(modifier || ' ') || (nullIsUnset && isPattern))
      throw invalid(`unsupported modifier (${nullIsUnset ? ':' : ''}${modifier}) in substitution`);
    const word = textOf(this.pieces('}', isPattern));
    return modified(name, this.lookup(name), { modifier, word, nullIsUnset });
  }

  #replaced(name: string): string {
    const all = this.#next === '/';
    if (all) this.#at += 1;
    const pattern = textOf(this.pieces('/', true));
    const text = textOf(this.pieces('}', true));
    return replaced(this.lookup(name) ?? '', pattern, text, all);
  }
}

const modified = (
  name: string,
  value: string | undefined,
  change: { readonly modifier: string; readonly word: string; readonly nullIsUnset: boolean },
): string => {
  const { modifier, word, nullIsUnset } = change;
  const unset = value === undefined || (nullIsUnset && value === '');
  switch (modifier) {
    case '-':
      return unset ? word : value;
    case '+':
      return unset ? '' : word;
    case '?':
      if (!unset) return value;
      throw invalid(`${name}: ${word || `is not allowed to be ${value === undefined ? 'unset' : 'empty'}`}`);
    default:
      return trimmed(value ?? '', modifier, word);
  }
};

/** `#` cuts a beginning, `%` an end; doubled, the longest that matches. */
const trimmed = (value: string, sign: string, word: string): string => {
  const longest = word.startsWith(sign);
  const pattern = longest ? word.slice(1) : word;
  return (sign === '#' ? withoutBeginning : withoutEnd)(value, pattern, longest);
};

const textOf = (pieces: readonly Piece[]): string => pieces.map(({ text }) => text).join('');

const process = (word: string, lookup: Lookup, mark: string): readonly Piece[] => {
  try {
    return new Reader(word, lookup, mark).pieces();
  } catch (error) {
    throw invalid(`failed to process ${JSON.stringify(word)}: ${messageOf(error)}`, error);
  }
};

/** One word stays one, whatever its variables hold. Throws invalid. */
export const expandWord = (word: string, lookup: Lookup, mark: string): string =>
  textOf(process(word, lookup, mark));

/** Variables may bring several words: `EXPOSE $PORTS`. */
export const expandWords = (word: string, lookup: Lookup, mark: string): readonly string[] => {
  const words: string[] = [];
  let current: string | undefined;
  for (const { text, splits } of process(word, lookup, mark))
    for (const char of splits ? text : [text]) {
      if (!splits || !/\s/.test(char)) current = (current ?? '') + char;
      else if (current !== undefined) {
        words.push(current);
        current = undefined;
      }
    }
  return current === undefined ? words : [...words, current];
};

/** `NAME=value` texts, later ones winning. */
export const lookupIn = (variables: readonly string[]): Lookup => {
  const known = new Map(
    variables.map((text): [string, string] => {
      const at = text.indexOf('=');
      return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
    }),
  );
  return (name) => known.get(name);
};
