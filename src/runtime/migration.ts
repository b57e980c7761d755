/**
 * The price of moving a process into a cgroup: the kernel first waits for an RCU grace period (10–20 ms on a busy
 * machine, `cgroup_threadgroup_rwsem`), unless somebody has just paid it. A move of our own process to where it is
 * already, made in a pool thread while conmon and crun are still starting, takes that wait off a start.
 * With cgroup v2 crun is born into its cgroup (CLONE_INTO_CGROUP) and nothing is moved.
 */

import { closeSync, openSync, readFileSync, write } from 'node:fs';
import { join } from 'node:path';
import { attempt } from '../errors.js';

/** Our own cgroup in one of the v1 hierarchies; undefined with cgroup v2. */
const ownProcs = (): string | undefined => {
  const match = /^\d+:(pids|freezer|cpu|memory):(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'latin1'));
  return match ? join('/sys/fs/cgroup', match[1] ?? '', match[2] ?? '', 'cgroup.procs') : undefined;
};

const openQuietly = (path: string): number => attempt(() => openSync(path, 'w')) ?? -1;

export interface MigrationWarmer {
  /** To be called, and not waited for, as early as a start can be foreseen. */
  warm(): void;
  close(): void;
}

export const migrationWarmer = (version: 1 | 2): MigrationWarmer => {
  const procs = version === 1 ? ownProcs() : undefined;
  const fd = procs ? openQuietly(procs) : -1;
  let busy = false;
  return {
    warm: () => {
      if (fd < 0 || busy) return;
      busy = true;
      // A refusal only means that the start itself has to wait. One call, so that it does not wait for our own thread.
      write(fd, String(process.pid), 0, () => {
        busy = false;
      });
    },
    close: () => {
      if (fd >= 0) closeSync(fd);
    },
  };
};
