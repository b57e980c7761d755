/**
 * A program that outlives the daemon, and that the next one goes on with: started detached, found again by its record, or (where
 * the daemon died before it wrote that) by its arguments. Invariants: nobody is taken for ours by a process id alone; at most one
 * runs for one record; what it says is in a log of bounded size.
 */
import {
  constants,
  copyFileSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import { attempt, internal } from '../errors.js';
import { failpoint } from '../failpoints.js';
import { startChild } from '../kernel/child.js';
import {
  everybody,
  identify,
  isAlive,
  type ProcessIdentity,
  SIGKILL,
  SIGTERM,
  signal,
  signalFamily,
} from '../kernel/processes.js';
import { createPace } from '../pace.js';

export interface LastingRequest {
  readonly path: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env?: readonly string[];
  readonly logFile: string;
  /** file in which the next daemon finds it; its directory is there */
  readonly record: string;
  /** what the next daemon has to know besides */
  readonly notes: Readonly<Record<string, string | number>>;
}

export interface LastingProgram {
  readonly pid: number;
  readonly notes: Readonly<Record<string, string | number>>;
  /** Resolves when it has ended, by whomever. */
  readonly ended: Promise<void>;
  /** SIGTERM, after `graceMs` SIGKILL, with all that it started; its record goes. */
  stop(graceMs: number): Promise<void>;
}

const recorded = z.object({
  pid: z.number().default(0),
  startTime: z.string().default(''),
  path: z.string(),
  args: z.array(z.string()),
  logFile: z.string(),
  notes: z.record(z.string(), z.union([z.string(), z.number()])),
});
type Recorded = z.infer<typeof recorded>;

/** Whole or not at all: a daemon may die in the middle. */
const write = (file: string, record: Recorded): void => {
  const fresh = `${file}.new`;
  writeFileSync(fresh, JSON.stringify(record), { mode: 0o600 });
  renameSync(fresh, file);
};

const read = (file: string): Recorded | undefined =>
  attempt(() => recorded.parse(JSON.parse(readFileSync(file, 'utf8'))));

const argumentsOf = (pid: number): string =>
  attempt(() => readFileSync(`/proc/${pid}/cmdline`, 'utf8')) ?? '';

/** Ours by the record, or where the daemon died before it wrote down the process id, by the arguments: everybody is asked, in slices. */
const find = async ({ pid, startTime, path, args }: Recorded): Promise<ProcessIdentity | undefined> => {
  if (pid > 0) return isAlive({ pid, startTime }) ? { pid, startTime } : undefined;
  const wanted = `${[path, ...args].join('\0')}\0`;
  const pace = createPace();
  for (const each of everybody()) {
    if (argumentsOf(each) === wanted) return identify(each);
    if (pace.due()) await pace.rest();
  }
  return undefined;
};

/** Full logs are copied away and begun anew: the program keeps its descriptor, and appends. */
const MOST_LOG = 4 * 1_048_576;
const LOG_LOOK_MS = 60_000;
const boundLog = (file: string): void =>
  void attempt(() => {
    if (statSync(file).size <= MOST_LOG) return;
    copyFileSync(file, `${file}.1`);
    truncateSync(file);
  });

/** The end of a program that is nobody's child here is looked for. */
const LOOK_MS = 250;
const endOf = async (self: ProcessIdentity): Promise<void> => {
  while (isAlive(self)) await sleep(LOOK_MS, undefined, { ref: false });
};

/** A killed process that does not end is stuck in the kernel: not waited for. */
const DYING_MS = 5_000;

const lasting = (
  self: ProcessIdentity,
  { notes, logFile }: Pick<Recorded, 'notes' | 'logFile'>,
  record: string,
  ended: Promise<void>,
): LastingProgram => {
  const log = setInterval(() => boundLog(logFile), LOG_LOOK_MS).unref();
  const gone = ended.finally(() => clearInterval(log));
  const within = async (ms: number): Promise<boolean> => {
    const late = new AbortController();
    const ending = gone.then(() => true);
    const waiting = sleep(ms, false, { signal: late.signal }).catch(() => false);
    const first = await Promise.race([ending, waiting]);
    late.abort();
    return first;
  };
  return {
    pid: self.pid,
    notes,
    ended: gone,
    stop: async (graceMs) => {
      signal(self, SIGTERM);
      if (!(await within(graceMs))) {
        await signalFamily([self], SIGKILL);
        await within(DYING_MS);
      }
      rmSync(record, { force: true });
    },
  };
};

const { O_WRONLY, O_CREAT, O_APPEND, O_NOFOLLOW } = constants;

const openLog = (path: string): number => openSync(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0o600);

/** However it ended. */
const over = (exited: Promise<number>): Promise<void> =>
  exited.then(
    () => {},
    () => {},
  );

/** Throws internal where the program cannot be started, or one runs by this record (`adoptLasting` finds it). */
export const startLasting = async (request: LastingRequest): Promise<LastingProgram> => {
  const { path, args, cwd, env = [], logFile, record, notes } = request;
  const running = await adoptLasting(record);
  if (running) throw internal(`${path} runs already, as process ${running.pid}`);
  mkdirSync(dirname(logFile), { recursive: true, mode: 0o700 });
  boundLog(logFile);
  const known = { path, args: [...args], logFile, notes: { ...notes } };
  write(record, { ...known, pid: 0, startTime: '' });
  failpoint('program-noted');
  const child = await startChild({ path, args, cwd, env, fds: [null, openLog(logFile), openLog(logFile)] });
  failpoint('program-started');
  write(record, { ...known, ...child.self });
  return lasting(child.self, known, record, over(child.exited));
};

/** What a former daemon started and what still runs; undefined: nothing. */
export const adoptLasting = async (record: string): Promise<LastingProgram | undefined> => {
  const found = read(record);
  const self = found && (await find(found));
  if (!found || !self) return undefined;
  if (found.pid === 0) write(record, { ...found, ...self });
  return lasting(self, found, record, endOf(self));
};

/** Its last lines, for the message of one that did not come up. */
export const lastWords = (logFile: string): string => {
  const lines = (attempt(() => readFileSync(logFile, 'utf8')) ?? '').trimEnd().split('\n');
  return lines.slice(-3).join(' ').slice(-1_000);
};

/** A port of the loopback that nobody has at this moment, for programs that take no socket. */
export const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer().on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const bound = server.address();
      server.close(() => resolve(typeof bound === 'object' && bound ? bound.port : 0));
    });
  });
