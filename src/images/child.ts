/**
 * The one place where images start a process: skopeo, buildah and tar, by argument vector, never through a shell.
 * Each child has a process group of its own, so that an abort ends what it started too.
 */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { internal, unavailable } from '../errors.js';

/** A child that ended badly. */
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
}

/** What is kept of standard error for the message. */
const ERROR_LINES = 20;
/** Between SIGTERM, at which buildah unmounts, and SIGKILL; milliseconds. */
const GRACE = 3_000;

const killGroup = (pid: number, signal: NodeJS.Signals): void => {
  try {
    process.kill(-pid, signal);
  } catch {
    // already gone
  }
};

/** An abort ends the group politely, then surely. Answers the function that disarms it. */
const endOnAbort = (pid: number, signal: AbortSignal | undefined): (() => void) => {
  let timer: NodeJS.Timeout | undefined;
  const end = () => {
    killGroup(pid, 'SIGTERM');
    timer = setTimeout(() => killGroup(pid, 'SIGKILL'), GRACE);
  };
  if (signal?.aborted) end();
  else signal?.addEventListener('abort', end, { once: true });
  return () => {
    clearTimeout(timer);
    signal?.removeEventListener('abort', end);
  };
};

/** What a child sees of our environment: where programs are, and the proxies that registries are reached through. */
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

/**
 * Runs to the end; answers standard output's exact bytes (none where `onLine` took them). Throws ChildError, unavailable
 * where the program is not there, internal `context canceled` after an abort.
 */
export const runChild = async (request: ChildRequest): Promise<Buffer> => {
  const { command, args, input, onLine, signal } = request;
  const child = spawn(command, [...args], {
    env: { ...inherited(), ...request.env },
    ...(request.cwd ? { cwd: request.cwd } : {}),
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
  });
  const ended = new Promise<number>((resolve, reject) => {
    child.once('error', (cause) =>
      reject(unavailable(`${command} cannot be started: ${cause.message}`, cause)),
    );
    child.once('close', (code) => resolve(code ?? -1));
  });
  const [out, err]: [Buffer[], string[]] = [[], []];
  if (onLine) createInterface({ input: child.stdout }).on('line', (line) => onLine(line, 'stdout'));
  else child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  createInterface({ input: child.stderr }).on('line', (line) => {
    err.push(line);
    if (err.length > ERROR_LINES) err.shift();
    onLine?.(line, 'stderr');
  });
  const disarm = child.pid === undefined ? () => {} : endOnAbort(child.pid, signal);
  try {
    const fed = pipeline(input ?? Readable.from([]), child.stdin);
    const [code] = await Promise.all([ended, fed.catch(ignoreEarlyEnd)]);
    if (signal?.aborted) throw internal('context canceled', signal.reason);
    if (code !== 0) throw new ChildError(command, code, err.join('\n'));
    return Buffer.concat(out);
  } finally {
    disarm();
  }
};

/** A child may stop reading before the input ends (tar at its end mark): its exit code then says whether that is well. */
const ignoreEarlyEnd = (error: NodeJS.ErrnoException): void => {
  if (error.code !== 'EPIPE' && error.code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error;
};
