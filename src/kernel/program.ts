/**
 * Programs that are waited for: by argument vector, never through a shell, each in a session of its own. Invariant: every
 * wait ends. A program that says and reads nothing for longer than its limit, or whose client leaves (`signal`), is ended
 * with all that it started, politely and then surely.
 */
import type { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { PassThrough, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { internal, unavailable } from '../errors.js';
import { type Child, inputPipe, outputPipe, startChild } from './child.js';
import { SIGKILL, SIGTERM, signalFamily } from './processes.js';

/** A program that ended badly. */
export class ChildError extends Error {
  override readonly name = 'ChildError';
  constructor(
    readonly command: string,
    /** exit code; 128 and the signal where one ended it */
    readonly code: number,
    /** the last lines it wrote to standard error */
    readonly stderr: string,
  ) {
    super(`${command}: ${stderr || `exit code ${code}`}`);
  }
}

export interface ChildRequest {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** fed to standard input */
  readonly input?: Readable;
  readonly onLine?: (line: string, from: 'stdout' | 'stderr') => void;
  readonly signal?: AbortSignal;
  /** milliseconds without a byte in or out after which it is given up; where not said, as below */
  readonly limit?: number;
}

/** What is done with a large layer on a slow disk without a word (tar, a store's commit) stays below half an hour. */
const QUIET_LIMIT = 30 * 60_000;
/** Where a client waits, whose leaving ends it: a compiler in a build, or one blob over a thin line, may say nothing for hours. */
const WATCHED_LIMIT = 6 * 3_600_000;
/** For what answers from memory or /proc: seconds on the slowest machine. */
export const ANSWER_LIMIT = 30_000;
/** What is kept of standard error for the message. */
const ERROR_LINES = 20;
/** Between SIGTERM, at which buildah unmounts, and SIGKILL; milliseconds. */
const GRACE = 3_000;

/** What a program sees of our environment: where programs are, and the proxies that registries are reached through. */
const INHERITED = [
  'PATH',
  'HOME',
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'NO_PROXY',
  'http_proxy',
  'https_proxy',
  'no_proxy',
];
const inherited = (): Record<string, string> =>
  Object.fromEntries(INHERITED.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])));

type Patience = Pick<ChildRequest, 'limit' | 'signal'>;
const limitOf = ({ limit, signal }: Patience): number => limit ?? (signal ? WATCHED_LIMIT : QUIET_LIMIT);

interface Watch {
  /** it lives: the limit begins anew */
  beat(): void;
  /** nobody waits for it any more */
  release(): void;
  /** why it was ended, where it was */
  cause(): 'limit' | 'left' | undefined;
}

/** Ends the program and what it started when it is quiet for too long, or at once when `signal` says so. */
const watchOver = ({ self }: Child, patience: Patience): Watch => {
  let cause: 'limit' | 'left' | undefined;
  let surely: NodeJS.Timeout | undefined;
  const end = (why: 'limit' | 'left'): void => {
    if (cause) return;
    cause = why;
    void signalFamily([self], SIGTERM);
    surely = setTimeout(() => void signalFamily([self], SIGKILL), GRACE);
  };
  const left = () => end('left');
  const quiet = setTimeout(() => end('limit'), limitOf(patience));
  const { signal } = patience;
  if (signal?.aborted) left();
  else signal?.addEventListener('abort', left, { once: true });
  return {
    beat: () => void quiet.refresh(),
    release: () => {
      clearTimeout(quiet);
      clearTimeout(surely);
      signal?.removeEventListener('abort', left);
    },
    cause: () => cause,
  };
};

const closed = (stream: Socket): Promise<void> => new Promise((resolve) => stream.once('close', resolve));

interface Running extends Child {
  readonly stdin: Socket | undefined;
  readonly stdout: Socket;
  readonly stderr: Socket;
  /** its exit code, when it has ended and its output was read */
  readonly ended: Promise<number>;
}

/** Throws unavailable where the program is not there. */
const start = async ({ command, args, env, cwd, input }: ChildRequest): Promise<Running> => {
  const [stdin, stdout, stderr] = [input && inputPipe(), outputPipe(), outputPipe()];
  try {
    const child = await startChild({
      path: command,
      args,
      cwd: cwd ?? '.',
      env: Object.entries({ ...inherited(), ...env }).map(([name, value]) => `${name}=${value}`),
      fds: [stdin?.child ?? null, stdout.child, stderr.child],
    });
    const ended = Promise.all([child.exited, closed(stdout.own), closed(stderr.own)]).then(([code]) => code);
    void child.exited.then(() => stdin?.own.destroy()); // nobody reads it any more
    return { ...child, stdin: stdin?.own, stdout: stdout.own, stderr: stderr.own, ended };
  } catch (cause) {
    for (const pipe of [stdin, stdout, stderr]) pipe?.own.destroy();
    throw unavailable(cause instanceof Error ? cause.message : String(cause), cause);
  }
};

/**
 * Runs to the end; answers standard output's exact bytes (none where `onLine` took them). Throws ChildError, unavailable
 * where the program is not there, internal `context canceled` after an abort, internal where it was given up.
 */
export const runProgram = async (request: ChildRequest): Promise<Buffer> => {
  const { command, input, onLine, signal } = request;
  const child = await start(request);
  const { stdin, stdout, stderr } = child;
  const watch = watchOver(child, request);
  const [out, err]: [Buffer[], string[]] = [[], []];
  stdout.on('data', watch.beat);
  stderr.on('data', watch.beat);
  if (onLine) createInterface({ input: stdout }).on('line', (line) => onLine(line, 'stdout'));
  else stdout.on('data', (chunk: Buffer) => out.push(chunk));
  createInterface({ input: stderr }).on('line', (line) => {
    err.push(line);
    if (err.length > ERROR_LINES) err.shift();
    onLine?.(line, 'stderr');
  });
  input?.on('data', watch.beat);
  try {
    const fed = input && stdin && pipeline(input, stdin).catch(ignoreEarlyEnd);
    const [code] = await Promise.all([child.ended, fed]);
    if (signal?.aborted) throw internal('context canceled', signal.reason);
    if (watch.cause() === 'limit') throw internal(givenUp(command, request));
    if (code !== 0) throw new ChildError(command, code, err.join('\n'));
    return Buffer.concat(out);
  } finally {
    watch.release();
  }
};

const givenUp = (command: string, patience: Patience): string =>
  `${command} was given up: it did nothing for ${limitOf(patience) / 1000} seconds`;

/** A program may stop reading before the input ends (tar at its end mark): its exit code then says whether that is well. */
const ignoreEarlyEnd = (error: NodeJS.ErrnoException): void => {
  if (error.code !== 'EPIPE' && error.code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error;
};

/**
 * `input` as a program makes it over (`bzip2 -dc`). What is wrong comes as the stream's error, made by `failure`. A reader
 * that leaves ends the program.
 */
export const throughProgram = async (
  command: string,
  args: readonly string[],
  input: Readable,
  failure: (reason: string, cause?: unknown) => Error,
): Promise<Readable> => {
  const child = await start({ command, args, input }).catch((cause: Error) => {
    throw failure(cause.message, cause);
  });
  const output = new PassThrough();
  const left = new AbortController();
  const watch = watchOver(child, { limit: QUIET_LIMIT, signal: left.signal });
  let over = false;
  input.on('data', watch.beat);
  child.stdout.on('data', watch.beat);
  child.stderr.resume();
  output.once('close', () => {
    if (!over) left.abort();
  });
  output.on('error', () => {}); // whoever reads has listeners of its own
  void child.ended.then((code) => {
    over = true;
    watch.release();
    if (code === 0) output.end();
    else output.destroy(failure(watch.cause() === 'limit' ? givenUp(command, {}) : 'it refused its input'));
  });
  const fed = child.stdin ? pipeline(input, child.stdin) : Promise.resolve();
  fed.catch((error: NodeJS.ErrnoException) => {
    // Its own early end is told by its exit code; an input that broke off is told here.
    if (error.code !== 'EPIPE' && error.code !== 'ERR_STREAM_PREMATURE_CLOSE') output.destroy(error);
    else if (input.errored) output.destroy(input.errored);
  });
  // Its exit code decides whether what it said was whole; an error of its pipe becomes the output's.
  pipeline(child.stdout, output, { end: false }).catch(() => {});
  return output;
};
