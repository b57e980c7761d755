/**
 * Child processes by posix_spawn, which is the one way in which the daemon starts any. Their end is learned from a pipe that only
 * they hold: when it closes, they are ending and can be reaped at once, so no thread has to sleep in wait(2). Each leads a
 * session of its own, and is ended with all that it started.
 */
import { closeSync } from 'node:fs';
import { Socket } from 'node:net';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { internal, messageOf } from '../errors.js';
import * as ffi from './ffi.js';
import { identify, type ProcessIdentity, SIGKILL, signalFamily } from './processes.js';

const PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export interface ChildRequest {
  /** of the program, or a name that our PATH leads to */
  readonly path: string;
  readonly args: readonly string[];
  readonly cwd: string;
  /** beside PATH, where it does not say that */
  readonly env?: readonly string[];
  /** become 0, 1, 2… of the child, and are closed here, whether it can be started or not; null: /dev/null */
  readonly fds: readonly (number | null)[];
}

export interface Child {
  readonly pid: number;
  readonly self: ProcessIdentity;
  /** exit code, 128 and the signal where one ended it */
  readonly exited: Promise<number>;
  /** SIGKILL for it and for what it started; `among`, `besides`: as of `signalFamily` */
  end(among?: () => readonly number[], besides?: readonly ProcessIdentity[]): void;
}

/** A pipe between a child and us. A real one: a socket cannot be opened again as /dev/stdout. */
interface Pipe {
  /** for `ChildRequest.fds` */
  readonly child: number;
  /** A command that ends without reading its input, or a pipe that breaks, is no error: it closes. */
  readonly own: Socket;
}

const ownEnd = (fd: number, way: { readonly readable: boolean; readonly writable: boolean }): Socket =>
  new Socket({ fd, ...way }).on('error', () => {});

export const outputPipe = (): Pipe => {
  const [reading, writing] = ffi.pipe();
  return { child: writing, own: ownEnd(reading, { readable: true, writable: false }) };
};

export const inputPipe = (): Pipe => {
  const [reading, writing] = ffi.pipe();
  return { child: reading, own: ownEnd(writing, { readable: false, writable: true }) };
};

/** Throws internal where the program cannot be started. */
const spawn = ({ path, args, cwd, env = [], fds }: ChildRequest): number => {
  const own = env.some((entry) => entry.startsWith('PATH=')) ? [] : [PATH];
  try {
    return ffi.posixSpawn({ path, argv: [path, ...args], env: [...own, ...env], cwd, fds });
  } catch (cause) {
    throw internal(`${path} cannot be started: ${messageOf(cause)}`, cause);
  } finally {
    for (const fd of fds) if (fd !== null) closeSync(fd);
  }
};

/** With a pipe more, behind the descriptors that are asked for. The child must not hand it on. */
const spawnHolding = (request: ChildRequest): { readonly pid: number; readonly pipe: Socket } => {
  const { child, own } = outputPipe();
  try {
    return { pid: spawn({ ...request, fds: [...request.fds, child] }), pipe: own };
  } catch (error) {
    own.destroy();
    throw error;
  }
};

/** Resolves when the other end is closed by everybody who held it. */
const closed = (pipe: Socket): Promise<void> =>
  new Promise((resolve) => {
    pipe.once('close', () => resolve());
    pipe.resume();
  });

/** Looks without waiting, a few turns of the loop at once, then every few milliseconds. */
const TURNS = 20;
const LONGEST_PAUSE_MS = 50;

/** The exit code of a child that is ending: the kernel closes its descriptors just before. One that closed them by itself may go on. */
export const reaped = async (pid: number): Promise<number> => {
  for (let tries = 0; ; tries += 1) {
    const code = ffi.reap(pid);
    if (code !== undefined) return code;
    await (tries < TURNS ? turn() : sleep(Math.min(tries - TURNS, LONGEST_PAUSE_MS)));
  }
};

export const startChild = async (request: ChildRequest): Promise<Child> => {
  const { pid, pipe } = spawnHolding(request);
  const self = identify(pid);
  return {
    pid,
    self,
    exited: closed(pipe).then(() => reaped(pid)),
    end: (among, besides = []) => void signalFamily([self, ...besides], SIGKILL, among),
  };
};

/** For a program that detaches itself: what it says over descriptor 3 (or all of it, when it closes that). */
export const startTalking = async (
  request: ChildRequest,
): Promise<{ readonly pid: number; readonly talk: Socket }> => {
  const { pid, pipe } = spawnHolding(request);
  return { pid, talk: pipe };
};
