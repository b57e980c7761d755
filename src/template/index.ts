/**
 * Swarm's templates: Go's text/template in what a service says of its tasks (environment, hostname, mounts), and in secrets and configs that were made with
 * `--template-driver golang`. Parsed where they are given, filled in on the node that has the task. Pure.
 *
 *     expand('web-{{.Task.Slot}}', facts) === 'web-1'
 */
import { TemplateError } from './error.js';
import { evaluate, type Functions } from './evaluate.js';
import { parse } from './parse.js';
import type { Structure } from './values.js';

export { TemplateError };

/** What templates may tell of a task. */
export interface TaskFacts {
  readonly service: {
    readonly id: string;
    readonly name: string;
    readonly labels: Readonly<Record<string, string>>;
  };
  readonly node: {
    readonly id: string;
    readonly hostname: string;
    /** as `uname -m` says */
    readonly architecture: string;
    readonly os: string;
  };
  /** `slot`: of a global service the node's id */
  readonly task: { readonly id: string; readonly name: string; readonly slot: string };
}

const structure = (type: string, fields: Structure['fields']): Structure => ({ type, fields });

const dataOf = ({ service, node, task }: TaskFacts): Structure =>
  structure('template.Context', {
    Service: structure('template.Service', {
      ID: service.id,
      Name: service.name,
      Labels: new Map(Object.entries(service.labels)),
    }),
    Node: structure('template.Node', {
      ID: node.id,
      Hostname: node.hostname,
      Platform: structure('template.Platform', { Architecture: node.architecture, OS: node.os }),
    }),
    Task: structure('template.Task', { ID: task.id, Name: task.name, Slot: task.slot }),
  });

/** Throws TemplateError where it is none, or says what the facts and functions do not have. */
export const expand = (text: string, facts: TaskFacts, functions: Functions = {}): string =>
  text.includes('{{') ? evaluate(parse(text), dataOf(facts), functions) : text;

/** Throws TemplateError where it can be none, whatever it is filled in with. */
export const checkTemplate = (text: string): void => void parse(text);

/** `secret "x"`, `config "x"`, `env "X"` of templates in secrets and configs; each throws Error where there is none. */
export const payloadFunctions = (
  lookUp: Readonly<Record<'secret' | 'config' | 'env', (name: string) => string>>,
): Functions =>
  Object.fromEntries(
    Object.entries(lookUp).map(([name, find]) => [
      name,
      (operand, ...more) => {
        if (typeof operand !== 'string' || more.length > 0)
          throw new Error(`wrong number or type of args for ${name}`);
        return find(operand);
      },
    ]),
  );
