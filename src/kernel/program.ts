/**
 * Programs that are waited for: by argument vector, never through a shell, each in a session of its own. Invariant: every
 * wait ends. A program that says and reads nothing for longer than its limit, or whose client leaves (`signal`), is ended
 * with all that it started, politely and then surely.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { PassThrough, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { internal, unavailable } from '../errors.js';
import { identify, SIGKILL, SIGTERM, signalFamily } from './processes.js';

/** A program that ended badly. */
export class ChildError extends Error {
  override readonly name = 'ChildError';
  constructor(
    readonly command: string,
    /** exit code; -1 when a signal ended it */
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
const watchOver = (child: ChildProcess, patience: Patience): Watch => {
  const self = identify(child.pid ?? 0);
  let cause: 'limit' | 'left' | undefined;
  let surely: NodeJS.Timeout | undefined;
  const end = (why: 'limit' | 'left'): void => {
    if (cause) return;
    cause = why;
    signalFamily([self], SIGTERM);
    surely = setTimeout(() => signalFamily([self], SIGKILL), GRACE);
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

/** Resolves to its exit code (-1: a signal) when it has ended and its output was read. */
const endOf = (command: string, child: ChildProcess): Promise<number> =>
  new Promise((resolve, reject) => {
    child.once('error', (cause) =>
      reject(unavailable(`${command} cannot be started: ${cause.message}`, cause)),
    );
    child.once('close', (code) => resolve(code ?? -1));
  });

/**
 * Runs to the end; answers standard output's exact bytes (none where `onLine` took them). Throws ChildError, unavailable
 * where the program is not there, internal `context canceled` after an abort, internal where it was given up.
 */
export const runProgram = async (request: ChildRequest): Promise<Buffer> => {
  const { command, args, input, onLine, signal } = request;
  const child = spawn(command, [...args], {
    env: { ...inherited(), ...request.env },
    ...(request.cwd ? { cwd: request.cwd } : {}),
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
  });
  const ended = endOf(command, child);
  const watch = watchOver(child, request);
  const [out, err]: [Buffer[], string[]] = [[], []];
  // How it ended tells what matters.
  child.on('error', () => {});
  child.stdout.on('data', watch.beat).on('error', () => {});
  child.stderr.on('data', watch.beat).on('error', () => {});
  if (onLine) createInterface({ input: child.stdout }).on('line', (line) => onLine(line, 'stdout'));
  else child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  createInterface({ input: child.stderr }).on('line', (line) => {
    err.push(line);
    if (err.length > ERROR_LINES) err.shift();
    onLine?.(line, 'stderr');
  });
  input?.on('data', watch.beat);
  try {
    const fed = pipeline(input ?? Readable.from([]), child.stdin);
    const [code] = await Promise.all([ended, fed.catch(ignoreEarlyEnd)]);
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
export const throughProgram = (
  command: string,
  args: readonly string[],
  input: Readable,
  failure: (reason: string, cause?: unknown) => Error,
): Readable => {
  const child = spawn(command, [...args], { stdio: ['pipe', 'pipe', 'ignore'], detached: true });
  const output = new PassThrough();
  const left = new AbortController();
  const watch = watchOver(child, { limit: QUIET_LIMIT, signal: left.signal });
  const end = (error?: Error): void => {
    watch.release();
    if (error) output.destroy(error);
    else output.end();
  };
  input.on('data', watch.beat);
  child.stdout.on('data', watch.beat);
  output.once('close', () => {
    if (child.exitCode === null && child.signalCode === null) left.abort();
  });
  output.on('error', () => {}); // whoever reads has listeners of its own
  child.on('error', (cause) => end(failure(cause.message, cause)));
  child.once('close', (code) =>
    end(
      code === 0
        ? undefined
        : failure(watch.cause() === 'limit' ? givenUp(command, {}) : 'it refused its input'),
    ),
  );
  pipeline(input, child.stdin).catch((error: NodeJS.ErrnoException) => {
    // Its own early end is told by its exit code; an input that broke off is told here.
    if (error.code !== 'EPIPE' && error.code !== 'ERR_STREAM_PREMATURE_CLOSE') output.destroy(error);
    else if (input.errored) output.destroy(input.errored);
  });
  // Its exit code decides whether what it said was whole; an error of its pipe becomes the output's.
  pipeline(child.stdout, output, { end: false }).catch(() => {});
  return output;
};
