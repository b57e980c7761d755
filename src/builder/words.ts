/** How a Dockerfile's line falls into words: flags first, then words with their quotes kept, pairs, or a JSON list. Pure. */
import { attempt, invalid } from '../errors.js';

const isSpace = (char: string): boolean => /\s/.test(char);

/** The leading `--flag=value` words, quotes undone, and what follows them. A bare `--` ends the flags. */
export const takeFlags = (
  text: string,
  mark: string,
): { readonly flags: readonly string[]; readonly rest: string } => {
  const flags: string[] = [];
  for (let at = 0; ; ) {
    while (at < text.length && isSpace(text[at] ?? '')) at += 1;
    if (!text.startsWith('--', at)) return { flags, rest: text.slice(at) };
    let [word, quote] = ['', ''];
    for (; at < text.length; at++) {
      const char = text[at] ?? '';
      if (quote === '' && isSpace(char)) break;
      if (char === quote) quote = '';
      else if (quote === '' && (char === '"' || char === "'")) quote = char;
      else if (char !== mark) word += char;
      else if (at + 1 < text.length) word += text[++at];
    }
    if (word === '--') return { flags, rest: text.slice(at) };
    flags.push(word);
  }
};

/** Words as they are written, quotes and escapes kept: the expansion of variables undoes them. */
export const splitWords = (text: string, mark: string): readonly string[] => {
  const words: string[] = [];
  let [word, quote, open] = ['', '', false];
  for (let at = 0; at < text.length; at++) {
    const char = text[at] ?? '';
    if (quote === '' && isSpace(char)) {
      if (open) words.push(word);
      [word, open] = ['', false];
      continue;
    }
    open = true;
    if (char === mark && quote !== "'") {
      // one at the very end stands for nothing
      if (at + 1 < text.length) word += char + text[++at];
      continue;
    }
    if (quote === char) quote = '';
    else if (quote === '' && (char === '"' || char === "'")) quote = char;
    word += char;
  }
  return open ? [...words, word] : words;
};

/** Undefined where the text is no JSON list. Throws invalid where it is one of other things than strings. */
export const jsonList = (text: string): readonly string[] | undefined => {
  if (!text.trimStart().startsWith('[')) return undefined;
  const list: unknown = attempt(() => JSON.parse(text));
  if (!Array.isArray(list)) return undefined;
  if (list.every((item) => typeof item === 'string')) return list;
  throw invalid('when using JSON array syntax, arrays must be comprised of strings only');
};

/** By runs of blanks. */
export const byBlanks = (text: string): readonly string[] => (text === '' ? [] : text.split(/[\t\v\f\r ]+/));

export interface Pair {
  readonly key: string;
  readonly value: string;
}

/** `K=V K2=V2`, or the old form `K the rest`. Throws invalid. */
export const pairs = (instruction: string, text: string, mark: string): readonly Pair[] => {
  const words = splitWords(text, mark);
  const [first] = words;
  if (first === undefined) throw invalid(`${instruction} requires at least one argument`);
  if (!first.includes('=')) {
    const [key = '', value] = /^(\S+)[\t\v\f\r ]+([\s\S]*)$/.exec(text)?.slice(1) ?? [];
    if (value === undefined) throw invalid(`${instruction} must have two arguments`);
    return [{ key, value }];
  }
  return words.map((word) => {
    const at = word.indexOf('=');
    if (at < 0)
      throw invalid(
        `Syntax error - can't find = in ${JSON.stringify(word)}. Must be of the form: name=value`,
      );
    if (at === 0) throw invalid(`${instruction} names can not be blank`);
    return { key: word.slice(0, at), value: word.slice(at + 1) };
  });
};
