/** What a daemon that is killed now leaves of its files, while its store goes on in this process. */
import { cpSync, rmSync } from 'node:fs';

/** Nothing else of the store runs meanwhile but what it began on another thread: one rename, which may be met. */
export const asKilled = (from: string, to: string): void => {
  for (;;)
    try {
      rmSync(to, { recursive: true, force: true });
      cpSync(from, to, { recursive: true });
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error; // of node:fs
    }
};
