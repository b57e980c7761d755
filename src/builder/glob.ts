/**
 * Patterns: a shell's for variables, Go's `filepath.Match` for COPY, and .dockerignore's. Pure. All states that a pattern
 * can be in are followed at once, so a match takes at most the text's length times the pattern's, whoever wrote them.
 */
import { invalid } from '../errors.js';

/** What one place of a pattern does with the next character. */
interface Place {
  /** the place that a character leads to; undefined: it does not match here */
  readonly on: (char: string) => number | undefined;
  /** the place reached without a character */
  readonly skip?: number;
}

export type Pattern = readonly Place[];

type Accepts = (char: string) => boolean;

const any: Accepts = () => true;
const notSlash: Accepts = (char) => char !== '/';

const one = (at: number, accepts: Accepts): Place => ({ on: (char) => (accepts(char) ? at + 1 : undefined) });
const many = (at: number, accepts: Accepts): Place => ({
  on: (char) => (accepts(char) ? at : undefined),
  skip: at + 1,
});

/** Nothing, or any number of whole directories with their slashes. */
const directories = (at: number): readonly Place[] => {
  const on = (char: string): number => (char === '/' ? at : at + 1);
  return [{ on, skip: at + 2 }, { on }];
};

/** No place is reached. */
const NONE = 0x7fffffff;

/**
 * The places reached before a character of the text, each with the earliest beginning that leads there. Places that need
 * no character lie ahead of those that lead to them, so one pass finds them all.
 */
class Places {
  #now: Int32Array;
  #next: Int32Array;
  constructor(readonly pattern: Pattern) {
    this.#now = new Int32Array(pattern.length + 2).fill(NONE);
    this.#next = new Int32Array(pattern.length + 2).fill(NONE);
  }

  /** Answers the earliest beginning of what has matched whole; NONE where nothing has. */
  begin(at: number): number {
    this.#now[0] = Math.min(this.#now[0] ?? NONE, at);
    return this.#settle();
  }

  #settle(): number {
    const now = this.#now;
    for (let place = 0; place < this.pattern.length; place++) {
      const skip = this.pattern[place]?.skip;
      if (skip !== undefined) now[skip] = Math.min(now[skip] ?? NONE, now[place] ?? NONE);
    }
    return now[this.pattern.length] ?? NONE;
  }

  /** What began after `latest` is given up. */
  step(char: string, latest = NONE): number {
    this.#next.fill(NONE);
    for (let place = 0; place < this.pattern.length; place++) {
      const start = this.#now[place] ?? NONE;
      if (start === NONE || start > latest) continue;
      const to = this.pattern[place]?.on(char);
      if (to !== undefined) this.#next[to] = Math.min(this.#next[to] ?? NONE, start);
    }
    [this.#now, this.#next] = [this.#next, this.#now];
    return this.#settle();
  }
}

/** Lengths of the beginnings of `text` that match, growing. */
function* matchingLengths(pattern: Pattern, text: string): Generator<number> {
  const places = new Places(pattern);
  if (places.begin(0) === 0) yield 0;
  for (let at = 0; at < text.length; at++) if (places.step(text[at] ?? '') === 0) yield at + 1;
}

/** The first part of the text, not empty, that matches; the longest of those that begin there. */
const search = (
  pattern: Pattern,
  text: string,
  from: number,
): { readonly start: number; readonly end: number } | undefined => {
  const places = new Places(pattern);
  let best: { readonly start: number; readonly end: number } | undefined;
  for (let at = from; at < text.length; at++) {
    if (!best) places.begin(at);
    const start = places.step(text[at] ?? '', best?.start);
    if (start !== NONE && start <= (best?.start ?? NONE)) best = { start, end: at + 1 };
  }
  return best;
};

export const matches = (pattern: Pattern, text: string): boolean => {
  for (const length of matchingLengths(pattern, text)) if (length === text.length) return true;
  return false;
};

const brokenPattern = () => invalid('syntax error in pattern');

/** `[a-z]`, `[^a-z]` of Go at `at`; answers what it accepts and where it ends. */
const characterClass = (text: string, at: number): { readonly accepts: Accepts; readonly length: number } => {
  const found = /^\[(\^?)((?:\\[\s\S]|[^\]\\])+)\]/.exec(text.slice(at));
  if (!found) throw brokenPattern();
  const [whole, negated, inside = ''] = found;
  const ranges = [...inside.matchAll(/(?:\\([\s\S])|([^\\]))(?:-(?:\\([\s\S])|([^\\])))?/g)].map(
    ([, escaped, plain, highEscaped, highPlain]) => {
      const low = escaped ?? plain ?? '';
      return [low, highEscaped ?? highPlain ?? low] as const;
    },
  );
  const listed = (char: string) => ranges.some(([low, high]) => low <= char && char <= high);
  return {
    accepts: negated ? (char) => notSlash(char) && !listed(char) : listed,
    length: whole.length,
  };
};

interface Dialect {
  /** what `*` and `?` stand for */
  readonly wild: Accepts;
  readonly classes: boolean;
  /** `**` stands for whole directories */
  readonly doubleStar: boolean;
}

/** Throws invalid for a broken pattern. */
const parse = (text: string, { wild, classes, doubleStar }: Dialect): Pattern => {
  const places: Place[] = [];
  for (let at = 0; at < text.length; ) {
    const char = text[at] ?? '';
    if (doubleStar && text.startsWith('**', at)) {
      at += text[at + 2] === '/' ? 3 : 2;
      // at the end it stands for everything below
      places.push(...(at >= text.length ? [many(places.length, any)] : directories(places.length)));
    } else if (char === '[' && classes) {
      const { accepts, length } = characterClass(text, at);
      places.push(one(places.length, accepts));
      at += length;
    } else if (char === '*' || char === '?') {
      places.push(char === '*' ? many(places.length, wild) : one(places.length, wild));
      at += 1;
    } else {
      const escaped = char === '\\' && at + 1 < text.length;
      const wanted = escaped ? text[at + 1] : char;
      places.push(one(places.length, (each) => each === wanted));
      at += escaped ? 2 : 1;
    }
  }
  return places;
};

const SHELL: Dialect = { wild: any, classes: false, doubleStar: false };

/** filepath.Match: stars stay within a name. */
export const pathPattern = (text: string): Pattern =>
  parse(text, { wild: notSlash, classes: true, doubleStar: false });

export const ignorePattern = (text: string): Pattern =>
  parse(text, { wild: notSlash, classes: true, doubleStar: true });

export const hasWildcards = (path: string): boolean => /(^|[^\\])(\\\\)*[*?[]/.test(path);

/** Steps, each a few nanoseconds: what a stranger's pattern may hold everybody up for. */
const MOST_STEPS = 4_000_000;

/** Throws invalid where the two together are too long. */
const shellPattern = (pattern: string, value: string): Pattern => {
  if (pattern.length * value.length > MOST_STEPS)
    throw invalid('the value and the pattern of a substitution are too long');
  return parse(pattern, SHELL);
};

/** `${value#pattern}`: without the beginning that matches, the shortest or the longest. */
export const withoutBeginning = (value: string, pattern: string, longest: boolean): string => {
  const lengths = [...matchingLengths(shellPattern(pattern, value), value)];
  return value.slice((longest ? lengths.at(-1) : lengths[0]) ?? 0);
};

const reversed = (text: string): string => [...text].reverse().join('');

/** An escape stays before what it escapes. */
const reversedPattern = (pattern: string): string =>
  (pattern.match(/\\[\s\S]|[\s\S]/g) ?? []).reverse().join('');

export const withoutEnd = (value: string, pattern: string, longest: boolean): string =>
  reversed(withoutBeginning(reversed(value), reversedPattern(pattern), longest));

/** `${value/pattern/text}`; `all`: each place that matches. */
export const replaced = (value: string, pattern: string, text: string, all: boolean): string => {
  const places = shellPattern(pattern, value);
  let result = '';
  let at = 0;
  for (let found = search(places, value, at); found; found = all ? search(places, value, at) : undefined) {
    result += value.slice(at, found.start) + text;
    at = found.end;
  }
  return result + value.slice(at);
};
