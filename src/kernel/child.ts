/**
 * Child processes by posix_spawn. Their end is learned from a pipe that only they hold: when it closes, they are ending
 * and can be waited for at once, so no thread has to sleep in wait(2). Each leads a session of its own, and is ended with
 * all that it started.
 */
import { closeSync } from 'node:fs';
import { Socket } from 'node:net';
import { internal, messageOf } from '../errors.js';
import * as ffi from './ffi.js';
import { identify, type ProcessIdentity, SIGKILL, signalFamily } from './processes.js';

const PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export interface ChildRequest {
  readonly path: string;
  readonly args: readonly string[];
  readonly cwd: string;
  /** beside PATH */
  readonly env?: readonly string[];
  /** become 0, 1, 2… of the child; null: /dev/null. They stay open here. */
  readonly fds: readonly (number | null)[];
}

export interface Child {
  readonly pid: number;
  /** exit code, 128 and the signal where one ended it */
  readonly exited: Promise<number>;
  /** SIGKILL for it and for what it started; `among`, `besides`: as of `signalFamily` */
  end(among?: () => readonly number[], besides?: readonly ProcessIdentity[]): void;
}

/** Throws internal where the program cannot be started. */
const spawn = async (request: ChildRequest, fds: readonly (number | null)[]): Promise<number> => {
  const { path, args, cwd, env = [] } = request;
  try {
    return ffi.posixSpawn({ path, argv: [path, ...args], env: [PATH, ...env], cwd, fds });
  } catch (cause) {
    throw internal(`starting ${path} failed: ${messageOf(cause)}`, cause);
  }
};

/** Resolves when the other end of the pipe is closed by everybody who held it. */
const closed = (fd: number): Promise<void> =>
  new Promise((resolve) => {
    const end = new Socket({ fd, readable: true, writable: false });
    end.on('error', () => {});
    end.once('close', () => resolve());
    end.resume();
  });

/** The child holds one descriptor more, behind those asked for, and must not hand it on. */
export const startChild = async (request: ChildRequest): Promise<Child> => {
  const [reading, writing] = ffi.pipe();
  let pid: number;
  try {
    pid = await spawn(request, [...request.fds, writing]);
  } catch (error) {
    closeSync(reading);
    throw error;
  } finally {
    closeSync(writing);
  }
  const self = identify(pid);
  return {
    pid,
    exited: closed(reading).then(() => ffi.waitpid(pid)),
    end: (among, besides = []) => signalFamily([self, ...besides], SIGKILL, among),
  };
};

/** For a program that detaches itself: what it says over descriptor 3 (or all of it, when it closes that). */
export const startTalking = async (
  request: ChildRequest,
): Promise<{ readonly pid: number; readonly talk: Socket }> => {
  const [reading, writing] = ffi.pipe();
  try {
    const pid = await spawn(request, [...request.fds, writing]);
    const talk = new Socket({ fd: reading, readable: true, writable: false });
    return { pid, talk: talk.on('error', () => {}) }; // its end tells what matters
  } catch (error) {
    closeSync(reading);
    throw error;
  } finally {
    closeSync(writing);
  }
};
