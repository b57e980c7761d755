/**
 * Regular expressions of users (`--filter name=^web`), matched in time linear in the text: a set of states walks the
 * text, nothing backtracks. Go's syntax as far as filters use it: literals, `.`, classes, groups, `|`, `* + ? {n,m}`,
 * `^ $ \b`, escapes, `(?i)`.
 */

type Node =
  | { readonly kind: 'set'; readonly has: (char: string) => boolean }
  | { readonly kind: 'assert'; readonly holds: (text: readonly string[], at: number) => boolean }
  | { readonly kind: 'sequence'; readonly parts: readonly Node[] }
  | { readonly kind: 'choice'; readonly parts: readonly Node[] }
  | { readonly kind: 'repeat'; readonly part: Node; readonly min: number; readonly max: number };

type State =
  | { readonly kind: 'set'; readonly has: (char: string) => boolean; readonly next: number }
  | {
      readonly kind: 'assert';
      readonly holds: (text: readonly string[], at: number) => boolean;
      readonly next: number;
    }
  | { readonly kind: 'fork'; readonly next: readonly number[] }
  | { readonly kind: 'accept' };

/** Longer patterns are refused; filters name things. */
const LONGEST_PATTERN = 1000;
const MOST_STATES = 5000;

/** True where the expression matches anywhere in the text; undefined: not an expression. */
export function compilePattern(source: string): ((text: string) => boolean) | undefined {
  if (source.length > LONGEST_PATTERN) return undefined;
  const tree = parse(source);
  if (tree === undefined) return undefined;
  const states: State[] = [{ kind: 'accept' }];
  const start = build(tree, 0, states);
  return start === undefined ? undefined : (text) => run(states, start, [...text]);
}

function run(states: readonly State[], start: number, text: readonly string[]): boolean {
  let current: number[] = [];
  for (let at = 0; at <= text.length; at += 1) {
    const seen = new Set<number>();
    const here: number[] = [];
    // Unanchored: a match may begin at every position.
    const open = [...current, start];
    for (let id = open.pop(); id !== undefined; id = open.pop()) {
      if (seen.has(id)) continue;
      seen.add(id);
      const state = states[id];
      if (state === undefined) continue;
      if (state.kind === 'accept') return true;
      if (state.kind === 'fork') open.push(...state.next);
      else if (state.kind === 'set') here.push(id);
      else if (state.holds(text, at)) open.push(state.next);
    }
    const char = text[at];
    current = here.flatMap((id) => {
      const state = states[id];
      return char !== undefined && state?.kind === 'set' && state.has(char) ? [state.next] : [];
    });
  }
  return false;
}

/** Adds the states of a node before `next`; answers the first. Undefined: too many. */
function build(node: Node, next: number, states: State[]): number | undefined {
  if (states.length > MOST_STATES) return undefined;
  const add = (state: State): number => states.push(state) - 1;
  switch (node.kind) {
    case 'set':
      return add({ kind: 'set', has: node.has, next });
    case 'assert':
      return add({ kind: 'assert', holds: node.holds, next });
    case 'sequence':
      return node.parts.reduceRight<number | undefined>(
        (after, part) => (after === undefined ? undefined : build(part, after, states)),
        next,
      );
    case 'choice': {
      const starts = node.parts.map((part) => build(part, next, states));
      return starts.includes(undefined)
        ? undefined
        : add({ kind: 'fork', next: starts.flatMap((each) => each ?? []) });
    }
    case 'repeat':
      return buildRepeat(node, next, states);
  }
}

function buildRepeat(
  node: Extract<Node, { kind: 'repeat' }>,
  next: number,
  states: State[],
): number | undefined {
  let after: number | undefined = next;
  if (node.max === Number.POSITIVE_INFINITY) {
    const loop = states.push({ kind: 'fork', next: [] }) - 1;
    const body = build(node.part, loop, states);
    if (body === undefined) return undefined;
    states[loop] = { kind: 'fork', next: [body, next] };
    after = loop;
  } else {
    for (let i = node.min; i < node.max && after !== undefined; i += 1) {
      const body = build(node.part, after, states);
      after = body === undefined ? undefined : states.push({ kind: 'fork', next: [body, next] }) - 1;
    }
  }
  for (let i = 0; i < node.min && after !== undefined; i += 1) after = build(node.part, after, states);
  return after;
}

const word = (char: string | undefined): boolean => char !== undefined && /^[0-9A-Za-z_]$/.test(char);
const CLASSES: Readonly<Record<string, (char: string) => boolean>> = {
  d: (char) => /^[0-9]$/.test(char),
  D: (char) => !/^[0-9]$/.test(char),
  w: word,
  W: (char) => !word(char),
  s: (char) => /^[\t\n\f\r ]$/.test(char),
  S: (char) => !/^[\t\n\f\r ]$/.test(char),
};
const ASSERTIONS: Readonly<Record<string, (text: readonly string[], at: number) => boolean>> = {
  b: (text, at) => word(text[at - 1]) !== word(text[at]),
  B: (text, at) => word(text[at - 1]) === word(text[at]),
  A: (_text, at) => at === 0,
  z: (text, at) => at === text.length,
};
const CONTROLS: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', f: '\f', v: '\v' };

/** Undefined: not an expression. */
function parse(source: string): Node | undefined {
  const chars = [...source];
  let at = 0;
  let ignoreCase = false;
  const fold = (char: string): string => (ignoreCase ? char.toLowerCase() : char);
  const exactly = (char: string): Node => {
    const wanted = fold(char);
    return { kind: 'set', has: (other) => fold(other) === wanted };
  };

  function choice(depth: number): Node | undefined {
    const parts: Node[] = [];
    for (;;) {
      const part = sequence(depth);
      if (part === undefined) return undefined;
      parts.push(part);
      if (chars[at] !== '|') return parts.length === 1 ? part : { kind: 'choice', parts };
      at += 1;
    }
  }

  function sequence(depth: number): Node | undefined {
    const parts: Node[] = [];
    while (at < chars.length && chars[at] !== '|' && !(chars[at] === ')' && depth > 0)) {
      const part = atom(depth);
      const repeated = part === undefined ? undefined : repetition(part);
      if (repeated === undefined) return undefined;
      parts.push(repeated);
    }
    return { kind: 'sequence', parts };
  }

  function repetition(part: Node): Node | undefined {
    const bounds = /^(?:([*+?])|\{(\d{1,3})(,(\d{1,3})?)?\})\??/.exec(chars.slice(at, at + 12).join(''));
    if (bounds === null) return part;
    at += bounds[0].length;
    const sign = bounds[1];
    const min = sign === undefined ? Number(bounds[2]) : sign === '+' ? 1 : 0;
    const many = sign === undefined ? bounds[3] !== undefined && bounds[4] === undefined : sign !== '?';
    const max = many ? Number.POSITIVE_INFINITY : sign === '?' ? 1 : Number(bounds[4] ?? bounds[2]);
    return max < min ? undefined : { kind: 'repeat', part, min, max };
  }

  function atom(depth: number): Node | undefined {
    const char = chars[at] ?? '';
    at += 1;
    if (char === '^') return { kind: 'assert', holds: (_text, where) => where === 0 };
    if (char === '$') return { kind: 'assert', holds: (text, where) => where === text.length };
    if (char === '.') return { kind: 'set', has: (other) => other !== '\n' };
    if (char === '[') return characterClass();
    if (char === '(') return group(depth);
    if (char === '\\') return escaped();
    return '*+?)'.includes(char) ? undefined : exactly(char);
  }

  function group(depth: number): Node | undefined {
    const prefix = /^\?(?:P?<[A-Za-z_]\w{0,31}>|(i?):|(i)\))/.exec(chars.slice(at, at + 40).join(''));
    if (chars[at] === '?' && prefix === null) return undefined;
    at += prefix?.[0].length ?? 0;
    if (prefix?.[1] === 'i' || prefix?.[2] === 'i') ignoreCase = true;
    if (prefix?.[2] !== undefined) return { kind: 'sequence', parts: [] };
    if (depth > 50) return undefined;
    const inner = choice(depth + 1);
    if (chars[at] !== ')') return undefined;
    at += 1;
    return inner;
  }

  function escaped(): Node | undefined {
    const char = chars[at];
    at += 1;
    if (char === undefined) return undefined;
    const set = CLASSES[char];
    if (set !== undefined) return { kind: 'set', has: set };
    const holds = ASSERTIONS[char];
    if (holds !== undefined) return { kind: 'assert', holds };
    const control = CONTROLS[char];
    if (control !== undefined) return exactly(control);
    return /^[0-9A-Za-z]$/.test(char) ? undefined : exactly(char);
  }

  function characterClass(): Node | undefined {
    const negated = chars[at] === '^';
    if (negated) at += 1;
    const members: ((char: string) => boolean)[] = [];
    for (let first = true; chars[at] !== ']' || first; first = false) {
      const member = classMember();
      if (member === undefined) return undefined;
      members.push(member);
    }
    at += 1;
    return { kind: 'set', has: (char) => members.some((has) => has(char)) !== negated };
  }

  function classMember(): ((char: string) => boolean) | undefined {
    const low = classCharacter();
    if (low === undefined || typeof low === 'function') return low;
    if (chars[at] !== '-' || chars[at + 1] === ']' || chars[at + 1] === undefined) {
      return (char) => fold(char) === fold(low);
    }
    at += 1;
    const high = classCharacter();
    if (typeof high !== 'string' || high < low) return undefined;
    return (char) =>
      (char >= low && char <= high) ||
      (ignoreCase && [char.toLowerCase(), char.toUpperCase()].some((c) => c >= low && c <= high));
  }

  function classCharacter(): string | ((char: string) => boolean) | undefined {
    const char = chars[at];
    at += 1;
    if (char !== '\\') return char;
    const after = chars[at];
    at += 1;
    return after === undefined ? undefined : (CLASSES[after] ?? CONTROLS[after] ?? after);
  }

  const tree = choice(0);
  return at === chars.length ? tree : undefined;
}
