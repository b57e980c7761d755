/**
 * Go's text/template as a tree: actions in `{{ }}`, their trimming, comments, `if`, `else if`, `else`, `with`, `range`, `end`, variables,
 * pipelines, fields, functions. Templates that name others (`define`, `template`, `block`) and `break`, `continue` are refused. Pure; throws TemplateError.
 */
import { TemplateError } from './error.js';
import { type Token, tokensOf } from './tokens.js';

export type Operand = (
  | { readonly kind: 'constant'; readonly value: string | number | boolean | undefined }
  | { readonly kind: 'dot' }
  | { readonly kind: 'variable'; readonly name: string }
  | { readonly kind: 'function'; readonly name: string }
  | { readonly kind: 'pipe'; readonly pipe: Pipe }
) & { readonly fields: readonly string[] };

export interface Pipe {
  readonly line: number;
  /** `$a :=`; two of a `range` */
  readonly declares: readonly string[];
  /** `$a =` */
  readonly assigns: boolean;
  /** each behind the first takes what the one before it answered as its last operand */
  readonly commands: readonly (readonly Operand[])[];
}

export type Piece =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'action'; readonly pipe: Pipe }
  | {
      readonly kind: 'if' | 'with' | 'range';
      readonly pipe: Pipe;
      readonly body: readonly Piece[];
      readonly otherwise: readonly Piece[];
    };

/** How deep a template may be nested. */
const DEEPEST = 100;

const BLOCKS = ['if', 'with', 'range'] as const;
const REFUSED = ['define', 'template', 'block', 'break', 'continue'];

class Parser {
  #at = 0;
  #deep = 0;

  constructor(private readonly tokens: readonly Token[]) {}

  get #next(): Token {
    return this.tokens[this.#at] ?? { kind: 'over', text: '', line: 0 };
  }
  #take(): Token {
    const token = this.#next;
    this.#at += 1;
    return token;
  }
  #is(text: string): boolean {
    const { kind, text: found } = this.#next;
    return kind !== 'text' && kind !== 'string' && found === text;
  }
  #fail(what: string): never {
    throw new TemplateError(what, this.#next.line);
  }
  #expect(text: string, where: string): void {
    if (!this.#is(text)) this.#fail(`unexpected ${this.#shown()} in ${where}`);
    this.#take();
  }
  #shown(): string {
    const { kind, text } = this.#next;
    return kind === 'over' ? 'EOF' : JSON.stringify(text.slice(0, 40));
  }
  #within<T>(work: () => T): T {
    this.#deep += 1;
    if (this.#deep > DEEPEST) this.#fail(`it is nested deeper than ${DEEPEST} levels`);
    const made = work();
    this.#deep -= 1;
    return made;
  }

  whole(): readonly Piece[] {
    const pieces = this.#pieces();
    if (this.#next.kind !== 'over') this.#fail(`unexpected {{${this.#keyword()}}}`);
    return pieces;
  }

  /** Up to `end` or `else`, which stay. */
  #pieces(): readonly Piece[] {
    const pieces: Piece[] = [];
    for (;;) {
      const token = this.#next;
      if (token.kind === 'over') return pieces;
      if (token.kind === 'text') {
        this.#take();
        pieces.push({ kind: 'text', text: token.text });
        continue;
      }
      const word = this.#keyword();
      if (word === 'end' || word === 'else') return pieces;
      if (REFUSED.includes(word)) this.#fail(`{{${word}}} is not supported`);
      this.#take(); // {{
      const block = BLOCKS.find((each) => each === word);
      if (block) {
        this.#take();
        pieces.push(this.#within(() => this.#block(block)));
      } else {
        pieces.push({ kind: 'action', pipe: this.#pipe('command') });
        this.#expect('}}', 'command');
      }
    }
  }

  /** The first word of the action that is next. */
  #keyword(): string {
    const first = this.tokens[this.#at + 1];
    return first?.kind === 'word' ? first.text : '';
  }

  #block(kind: (typeof BLOCKS)[number]): Piece {
    const pipe = this.#pipe(kind);
    this.#expect('}}', kind);
    const body = this.#pieces();
    return { kind, pipe, body, otherwise: this.#otherwise(kind) };
  }

  #otherwise(kind: (typeof BLOCKS)[number]): readonly Piece[] {
    const word = this.#keyword();
    if (word === '') this.#fail(`unexpected EOF: {{${kind}}} has no {{end}}`);
    this.#take();
    this.#take();
    if (word === 'end') {
      this.#expect('}}', 'end');
      return [];
    }
    const again = kind === 'range' ? undefined : BLOCKS.find((each) => each === kind && this.#is(each));
    if (again) {
      this.#take();
      return [this.#within(() => this.#block(again))];
    }
    this.#expect('}}', 'else');
    const pieces = this.#pieces();
    if (this.#keyword() !== 'end') this.#fail(`expected {{end}} of {{${kind}}}`);
    this.#take();
    this.#take();
    this.#expect('}}', 'end');
    return pieces;
  }

  #pipe(where: string): Pipe {
    const { line } = this.#next;
    const { declares, assigns } = this.#declared(where);
    const commands: (readonly Operand[])[] = [];
    do commands.push(this.#command(where));
    while (this.#is('|') && this.#take());
    return { line, declares, assigns, commands };
  }

  #declared(where: string): Pick<Pipe, 'declares' | 'assigns'> {
    const names: string[] = [];
    let at = this.#at;
    for (;;) {
      const token = this.tokens[at];
      if (token?.kind !== 'variable') break;
      names.push(token.text);
      const follows = this.tokens[at + 1];
      if (follows?.kind !== 'mark') break;
      if (follows.text === ',' && where === 'range' && names.length === 1) at += 2;
      else if (follows.text === ':=' || follows.text === '=') {
        this.#at = at + 2;
        return { declares: names, assigns: follows.text === '=' };
      } else break;
    }
    return { declares: [], assigns: false };
  }

  #command(where: string): readonly Operand[] {
    const operands: Operand[] = [];
    while (!(this.#next.kind === 'over' || ['}}', ')', '|'].some((each) => this.#is(each))))
      operands.push(this.#operand(where));
    if (operands.length === 0) this.#fail(`missing value for ${where}`);
    return operands;
  }

  #operand(where: string): Operand {
    if (this.#next.kind === 'field' && this.#next.text !== '.') {
      const first = this.#field();
      return { kind: 'dot', fields: [first, ...this.#chain()] };
    }
    return { ...this.#simple(where), fields: this.#chain() };
  }

  #simple(where: string): Operand {
    const token = this.#take();
    const fields: readonly string[] = [];
    switch (token.kind) {
      case 'string':
        return { kind: 'constant', value: token.text, fields };
      case 'number':
        return { kind: 'constant', value: Number(token.text), fields };
      case 'field':
        return { kind: 'dot', fields };
      case 'variable':
        return { kind: 'variable', name: token.text, fields };
      case 'word':
        if (token.text === 'true' || token.text === 'false')
          return { kind: 'constant', value: token.text === 'true', fields };
        if (token.text === 'nil') return { kind: 'constant', value: undefined, fields };
        return { kind: 'function', name: token.text, fields };
      default:
        if (token.text !== '(') {
          this.#at -= 1;
          return this.#fail(`unexpected ${this.#shown()} in ${where}`);
        }
        return this.#within((): Operand => {
          const pipe = this.#pipe('parenthesized pipeline');
          this.#expect(')', 'parenthesized pipeline');
          return { kind: 'pipe', pipe, fields };
        });
    }
  }

  #field(): string {
    return this.#take().text.slice(1);
  }

  /** `.A.B` right behind, without a space. */
  #chain(): readonly string[] {
    const fields: string[] = [];
    while (this.#next.kind === 'field' && this.#next.text !== '.' && !this.#next.spaced)
      fields.push(this.#field());
    return fields;
  }
}

export const parse = (text: string): readonly Piece[] => new Parser(tokensOf(text)).whole();
