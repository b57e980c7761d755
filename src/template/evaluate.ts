/** Fills a template in. Pure; throws TemplateError, also where it would take too long or become too large. */
import { messageOf } from '../errors.js';
import { TemplateError } from './error.js';
import { FUNCTIONS, type TemplateFunction } from './functions.js';
import type { Operand, Piece, Pipe } from './parse.js';
import { entriesOf, isMap, isStructure, isTrue, textOf, typeOf, type Value } from './values.js';

/**
 * Pieces and operands of one template, and characters of what it becomes and of what a function takes or gives: a service's maker must
 * not hold a node's loop, nor fill its memory.
 */
const MOST_STEPS = 20_000;
const MOST_TEXT = 2 * 1024 * 1024;

/** Own ones besides Go's. */
export type Functions = Readonly<Record<string, TemplateFunction>>;

type Block = Extract<Piece, { readonly body: unknown }>;

class Variables {
  readonly #own = new Map<string, Value>();
  constructor(private readonly outer?: Variables) {}
  get(name: string): { readonly value: Value } | undefined {
    return this.#own.has(name) ? { value: this.#own.get(name) } : this.outer?.get(name);
  }
  declare(name: string, value: Value): void {
    this.#own.set(name, value);
  }
  /** False: there is none. */
  assign(name: string, value: Value): boolean {
    if (!this.#own.has(name)) return this.outer?.assign(name, value) ?? false;
    this.#own.set(name, value);
    return true;
  }
}

class Evaluation {
  #steps = 0;
  #length = 0;
  readonly #parts: string[] = [];
  #line = 1;

  constructor(private readonly functions: Functions) {}

  get text(): string {
    return this.#parts.join('');
  }

  #fail(what: string): never {
    throw new TemplateError(what, this.#line);
  }
  #step(): void {
    this.#steps += 1;
    if (this.#steps > MOST_STEPS) this.#fail(`it takes more than ${MOST_STEPS} steps`);
  }
  /** Who doubles a text thirty times has a gigabyte. */
  #bound(...values: readonly Value[]): void {
    const length = values.reduce(
      (sum: number, each) => sum + (typeof each === 'string' ? each.length : 0),
      0,
    );
    if (length > MOST_TEXT) this.#fail(`a text becomes longer than ${MOST_TEXT} characters`);
  }
  #write(text: string): void {
    this.#length += text.length;
    if (this.#length > MOST_TEXT) this.#fail(`it becomes longer than ${MOST_TEXT} characters`);
    this.#parts.push(text);
  }

  all(pieces: readonly Piece[], dot: Value, variables: Variables): void {
    for (const piece of pieces) this.#piece(piece, dot, variables);
  }

  #piece(piece: Piece, dot: Value, variables: Variables): void {
    this.#step();
    switch (piece.kind) {
      case 'text':
        this.#write(piece.text);
        break;
      case 'action': {
        const value = this.#pipe(piece.pipe, dot, variables);
        if (piece.pipe.declares.length === 0) this.#write(textOf(value));
        break;
      }
      case 'range':
        this.#range(piece, dot, new Variables(variables));
        break;
      default:
        this.#branch(piece, dot, new Variables(variables));
    }
  }

  #branch(piece: Block, dot: Value, variables: Variables): void {
    const value = this.#pipe(piece.pipe, dot, variables);
    if (isTrue(value)) this.all(piece.body, piece.kind === 'with' ? value : dot, variables);
    else this.all(piece.otherwise, dot, variables);
  }

  #range({ pipe, body, otherwise }: Block, dot: Value, variables: Variables): void {
    const value = this.#commands(pipe, dot, variables);
    if (!isMap(value)) this.#fail(`range can't iterate over ${typeOf(value)}`);
    if (value.size === 0) this.all(otherwise, dot, variables);
    const [first, second] = pipe.declares;
    for (const [key, each] of entriesOf(value)) {
      const inner = new Variables(variables);
      if (first !== undefined) inner.declare(first, second === undefined ? each : key);
      if (second !== undefined) inner.declare(second, each);
      this.all(body, each, inner);
    }
  }

  #pipe(pipe: Pipe, dot: Value, variables: Variables): Value {
    const value = this.#commands(pipe, dot, variables);
    const [name] = pipe.declares;
    if (name === undefined) return value;
    if (!pipe.assigns) variables.declare(name, value);
    else if (!variables.assign(name, value)) this.#fail(`undefined variable "${name}"`);
    return value;
  }

  #commands({ commands, line }: Pipe, dot: Value, variables: Variables): Value {
    this.#line = line;
    let last: readonly [Value] | readonly [] = [];
    for (const command of commands) last = [this.#command(command, last, dot, variables)];
    return last[0];
  }

  #command(
    [first, ...rest]: readonly Operand[],
    last: readonly Value[],
    dot: Value,
    variables: Variables,
  ): Value {
    if (first?.kind === 'function') {
      const value = this.#call(first.name, rest, last, dot, variables);
      return this.#fieldsOf(value, first.fields);
    }
    if (!first || rest.length > 0 || last.length > 0) this.#fail("can't give argument to non-function");
    return this.#operand(first, dot, variables);
  }

  #call(
    name: string,
    operands: readonly Operand[],
    last: readonly Value[],
    dot: Value,
    variables: Variables,
  ): Value {
    const value = (operand: Operand): Value => this.#operand(operand, dot, variables);
    // What decides is the answer, and what is behind it is not looked at.
    if (name === 'and' || name === 'or') {
      let found: Value;
      for (const operand of operands) {
        found = value(operand);
        if (isTrue(found) === (name === 'or')) return found;
      }
      if (operands.length + last.length === 0) this.#fail(`wrong number of args for ${name}`);
      return last.length > 0 ? last[0] : found;
    }
    const called = Object.hasOwn(this.functions, name)
      ? this.functions[name]
      : Object.hasOwn(FUNCTIONS, name)
        ? FUNCTIONS[name]
        : undefined;
    if (!called) this.#fail(`function ${JSON.stringify(name)} not defined`);
    const given = [...operands.map(value), ...last];
    if (given.length < 1) this.#fail(`wrong number of args for ${name}`);
    this.#bound(...given);
    let answer: Value;
    try {
      answer = called(...given);
    } catch (error) {
      this.#fail(`error calling ${name}: ${messageOf(error)}`);
    }
    this.#bound(answer);
    return answer;
  }

  #operand(operand: Operand, dot: Value, variables: Variables): Value {
    this.#step();
    switch (operand.kind) {
      case 'constant':
        return this.#fieldsOf(operand.value, operand.fields);
      case 'dot':
        return this.#fieldsOf(dot, operand.fields);
      case 'variable': {
        const found = variables.get(operand.name);
        if (!found) this.#fail(`undefined variable "${operand.name}"`);
        return this.#fieldsOf(found.value, operand.fields);
      }
      case 'function':
        return this.#fieldsOf(this.#call(operand.name, [], [], dot, variables), operand.fields);
      case 'pipe':
        return this.#fieldsOf(this.#pipe(operand.pipe, dot, variables), operand.fields);
    }
  }

  #fieldsOf(value: Value, fields: readonly string[]): Value {
    return fields.reduce((from: Value, name) => this.#fieldOf(from, name), value);
  }

  #fieldOf(from: Value, name: string): Value {
    if (isStructure(from) && Object.hasOwn(from.fields, name)) return from.fields[name];
    if (!isMap(from)) this.#fail(`can't evaluate field ${name} in type ${typeOf(from)}`);
    const found = from.get(name);
    if (found === undefined) this.#fail(`map has no entry for key "${name}"`);
    return found;
  }
}

export const evaluate = (template: readonly Piece[], data: Value, functions: Functions): string => {
  const evaluation = new Evaluation(functions);
  const variables = new Variables();
  variables.declare('$', data);
  evaluation.all(template, data, variables);
  return evaluation.text;
};
