/**
 * The trash: directories that are no longer needed. They are gone from their name at once (one rename), from the disk a little later, those
 * of a moment by one `rm`. Removed file by file each would hold up everybody for milliseconds, on a thread of Node's hardly
 * less. Invariants: one `rm` at a time; what it leaves, or a crash, the next start sweeps away; after `close` resolves
 * nothing is under way.
 */
import { existsSync, readdirSync, renameSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { type Child, startChild } from './child.js';

const PREFIX = '.gone-';
/** Milliseconds for which others that leave are waited for. */
const LULL = 100;
/** Paths of one `rm`: far below the 2 MiB that its arguments may have. */
const MOST = 1_000;

export interface Trash {
  /** Takes the directory (or file) from its name; well where there is none. Throws where it cannot be renamed. */
  remove(directory: string): void;
  /** Removes what a former daemon left in the directory. */
  sweep(parent: string): void;
  /** Resolves when what left is gone from the disk too. */
  close(): Promise<void>;
}

/** Milliseconds for one `rm`; what takes longer (a hung disk) is left to the next start. */
const LIMIT = 10 * 60_000;
/** and when the daemon is to end */
const LAST = 10_000;

/** What it cannot remove stays for the next start. */
const removeAll = async (paths: readonly string[], started: (child: Child) => void): Promise<void> => {
  let late: NodeJS.Timeout | undefined;
  try {
    const args = ['-rf', '--', ...paths];
    const child = await startChild({ path: '/bin/rm', args, cwd: '/', fds: [null, null, null] });
    started(child);
    late = setTimeout(() => child.end(), LIMIT).unref();
    await child.exited;
  } catch {
    // No process can be started.
  } finally {
    clearTimeout(late);
  }
};

export const createTrash = (): Trash => {
  const waiting: string[] = [];
  let timer: NodeJS.Timeout | undefined;
  let removing: Promise<void> | undefined;
  let child: Child | undefined;

  const removeWaiting = async (): Promise<void> => {
    while (waiting.length > 0)
      await removeAll(waiting.splice(0, MOST), (started) => {
        child = started;
      });
    removing = undefined;
  };
  const begin = (): void => {
    timer = undefined;
    if (waiting.length > 0) removing ??= removeWaiting();
  };
  const soon = (path: string): void => {
    waiting.push(path);
    timer ??= setTimeout(begin, LULL).unref();
  };

  return {
    remove(directory) {
      if (!existsSync(directory)) return;
      const name = `${PREFIX}${basename(directory)}-${process.hrtime.bigint()}`;
      const gone = join(dirname(directory), name);
      renameSync(directory, gone);
      soon(gone);
    },
    sweep(parent) {
      if (!existsSync(parent)) return;
      for (const name of readdirSync(parent)) if (name.startsWith(PREFIX)) soon(join(parent, name));
    },
    async close() {
      clearTimeout(timer);
      begin();
      const last = setTimeout(() => {
        waiting.length = 0;
        child?.end();
      }, LAST);
      await removing;
      clearTimeout(last);
    },
  };
};
