/** buildah's lines told as the classic builder's, and its failures in Docker's words. Pure. */
import { invalid, ViaductError } from '../errors.js';

type Line = Readonly<Record<string, unknown>>;

/** A RUN that failed: the exit code goes into the stream's `errorDetail`, and becomes the client's exit status. */
export class BuildError extends ViaductError {
  override readonly name = 'BuildError';
  constructor(
    message: string,
    readonly exitCode: number,
    options?: { cause?: unknown },
  ) {
    super('invalid', message, options);
  }
}

const stream = (text: string): Line => ({ stream: text });
const short = (id: string): string => id.replace(/^sha256:/, '').slice(0, 12);

const STEP = /^(?:\[\d+\/\d+\] )?STEP (\d+)\/(\d+): (.*)$/;
const CACHED = /^--> Using cache ([0-9a-f]+)$/;
const MADE = /^--> ([0-9a-f]{7,64})$/;
/** said again by us at the end, in Docker's words */
const DROPPED = /^(?:COMMIT(?: .*)?|Successfully tagged .*|[0-9a-f]{64})$/;

/** One line of standard output → the lines a client of the classic builder gets. */
export const outputLines = (line: string): readonly Line[] => {
  const step = STEP.exec(line);
  if (step) return [stream(`Step ${step[1]}/${step[2]} : ${step[3]}`), stream('\n')];
  const cached = CACHED.exec(line)?.[1];
  if (cached) return [stream(' ---> Using cache\n'), stream(` ---> ${short(cached)}\n`)];
  const made = MADE.exec(line)?.[1];
  if (made) return [stream(` ---> ${short(made)}\n`)];
  return DROPPED.test(line) ? [] : [stream(`${line}\n`)];
};

/** buildah's own remarks on standard error; what a RUN writes there goes to the client, red as Docker has it. */
const REMARK = /^(?:Error: |time="|subprocess exited with |exit status \d+$|error building at STEP)/;

export const errorLines = (line: string): readonly Line[] =>
  REMARK.test(line) ? [] : [stream(`\u001b[91m${line}\n\u001b[0m`)];

export const endLines = (id: string, tags: readonly string[]): readonly Line[] => [
  { aux: { ID: id } },
  stream(`Successfully built ${short(id)}\n`),
  ...tags.map((tag) => stream(`Successfully tagged ${tag}\n`)),
];

/** `RUN x` as the command that ran: the shell form through the shell, the JSON form joined by blanks. */
const commandOf = (instruction: string): string => {
  const text = instruction.replace(/^RUN\s+/i, '');
  try {
    const list: unknown = JSON.parse(text);
    if (Array.isArray(list)) return list.join(' ');
  } catch {
    // the shell form
  }
  return `/bin/sh -c ${text}`;
};

const AT_STEP = /building at STEP "((?:[^"\\]|\\.)*)": (.*)$/;

/** `complaint`: what buildah said went wrong; `directory`: the context's, hidden from the answer. */
export const buildFailure = (complaint: string, directory: string, cause: unknown): ViaductError => {
  const [, quoted = '', reason = complaint] = AT_STEP.exec(complaint) ?? [];
  const step = quoted.replace(/\\(["\\])/g, '$1');
  const code = /exit status (\d+)$/.exec(reason)?.[1];
  if (code && /^RUN\b/i.test(step))
    return new BuildError(
      `The command '${commandOf(step)}' returned a non-zero code: ${code}`,
      Number(code),
      { cause },
    );
  const instruction = /^(COPY|ADD)\b/i.exec(step)?.[1]?.toUpperCase();
  const missing = /stat: "\/?([^"]*)": no such file or directory/.exec(reason)?.[1];
  if (instruction && missing !== undefined)
    return invalid(
      `${instruction} failed: file not found in build context or excluded by .dockerignore: stat ${missing}: file does not exist`,
      cause,
    );
  const unknown = /Unknown instruction: "([^"]*)"/.exec(reason)?.[1];
  if (unknown) return invalid(`dockerfile parse error: unknown instruction: ${unknown}`, cause);
  return invalid(reason.replaceAll(directory, ''), cause);
};
