/** The ends of containers: conmon's exit files, watched; and what to answer for one that ended unseen. */

import { existsSync, type FSWatcher, readFileSync, statSync, unlinkSync, watch } from 'node:fs';
import { join } from 'node:path';
import { attempt } from '../errors.js';
import type { Exit } from './contract.js';
import type { Layout } from './layout.js';

/** Exit code of a container of which nothing more is known, as Docker's. */
const UNKNOWN = 255;
/** Milliseconds between checks for containers whose conmon was killed, and so writes no exit file. */
const SWEEP = 2_000;

/** RFC 3339 with nanoseconds. */
const timestamp = (nanoseconds: bigint): string => {
  const seconds = new Date(Number(nanoseconds / 1_000_000n)).toISOString().slice(0, 19);
  return `${seconds}.${(nanoseconds % 1_000_000_000n).toString().padStart(9, '0')}Z`;
};

export interface Exits {
  open(): void;
  close(): void;
  /** Forgets an earlier run of the container. Before each create. */
  clear(id: string): void;
  /** How it ended, if it has. */
  read(id: string): Exit | undefined;
  /** The end of a container whose conmon was killed too: the exit code is not known. */
  lost(id: string): Exit;
  /** Calls back once, soon where it has ended already. Answers a function that takes the call back. */
  onExit(id: string, callback: (exit: Exit) => void): () => void;
}

/**
 * `wasKilledForMemory` is asked at the moment of the exit, while the cgroup is still there. `isGone`: neither the
 * container's process nor its conmon lives.
 */
export const exitsOf = (
  layout: Layout,
  wasKilledForMemory: (id: string) => boolean,
  isGone: (id: string) => boolean,
): Exits => {
  const known = new Map<string, Exit>();
  const waiting = new Map<string, ((exit: Exit) => void)[]>();
  let watcher: FSWatcher | undefined;
  let sweeper: NodeJS.Timeout | undefined;

  const read = (id: string): Exit | undefined => {
    const seen = known.get(id);
    if (seen) return seen;
    const path = join(layout.exits, id);
    // Most run on, and are asked about by the hundred: an exception for each takes longer than all else.
    if (!existsSync(path)) return undefined;
    try {
      const exit: Exit = {
        exitCode: Number.parseInt(readFileSync(path, 'latin1'), 10),
        oomKilled: wasKilledForMemory(id),
        finishedAt: timestamp(statSync(path, { bigint: true }).mtimeNs),
      };
      known.set(id, exit);
      return exit;
    } catch {
      return undefined;
    }
  };

  const lost = (id: string): Exit => {
    const exit: Exit = {
      exitCode: UNKNOWN,
      oomKilled: wasKilledForMemory(id),
      finishedAt: timestamp(BigInt(Date.now()) * 1_000_000n),
    };
    known.set(id, exit);
    return exit;
  };

  const announce = (id: string, exit: Exit): void => {
    const callbacks = waiting.get(id) ?? [];
    waiting.delete(id);
    for (const callback of callbacks) callback(exit);
  };

  const check = (id: string): void => {
    const exit = waiting.has(id) ? read(id) : undefined;
    if (exit) announce(id, exit);
  };

  const sweep = (): void => {
    for (const id of waiting.keys()) {
      check(id);
      if (!waiting.has(id) || !isGone(id)) continue;
      // The file may have been written between the two looks.
      announce(id, read(id) ?? lost(id));
    }
  };

  return {
    open: () => {
      watcher = watch(layout.exits, { persistent: false }, (_, name) => name && check(name));
      // The sweeper sees what a broken watch does not tell.
      watcher.on('error', () => {});
      sweeper = setInterval(sweep, SWEEP).unref();
    },
    close: () => {
      watcher?.close();
      clearInterval(sweeper);
    },
    clear: (id) => {
      known.delete(id);
      attempt(() => unlinkSync(join(layout.exits, id))); // else it has not ended since
    },
    read,
    lost,
    onExit: (id, callback) => {
      waiting.set(id, [...(waiting.get(id) ?? []), callback]);
      setImmediate(() => check(id));
      return () => {
        const others = (waiting.get(id) ?? []).filter((each) => each !== callback);
        if (others.length > 0) waiting.set(id, others);
        else waiting.delete(id);
      };
    },
  };
};
