/**
 * Processes by pid and start time, so that a pid taken over by a stranger is never mistaken for ours. Invariant: every
 * signal that the daemon sends goes through `signal` here, to a process that was found to be the one meant; never to pid 0
 * or a negative one, which kill(2) takes for whole groups, our own among them (test/unit/signals.test.ts holds that).
 */

import { closeSync, openSync, readdirSync, readSync } from 'node:fs';
import { ESRCH, failedWith } from '../errno.js';
import { attempt } from '../errors.js';
import { createPace } from '../pace.js';
import * as ffi from './ffi.js';

export interface ProcessIdentity {
  readonly pid: number;
  /** clock ticks since boot, field 22 of /proc/pid/stat */
  readonly startTime: string;
}

export const SIGTERM = 15;
export const SIGKILL = 9;

/** What one line of /proc/pid/stat says. */
export interface ProcessStat extends ProcessIdentity {
  readonly ended: boolean;
  readonly parent: number;
  readonly group: number;
  readonly session: number;
}

/** Longer than the kernel's line. */
const line = Buffer.alloc(2048);
/** In one read: every running container is asked about at the daemon's start, and each few seconds. */
const read = (pid: number): string => {
  const fd = openSync(`/proc/${pid}/stat`, 'r');
  try {
    return line.toString('latin1', 0, readSync(fd, line, 0, line.length, null));
  } finally {
    closeSync(fd);
  }
};

/** Undefined where there is no such process. A zombie is there, and `ended`. */
const statOf = (pid: number): ProcessStat | undefined =>
  attempt(() => {
    const stat = read(pid);
    // The command (field 2) may hold spaces and parentheses: count from its end.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ', 20);
    const [state, parent, group, session] = fields;
    return {
      pid,
      startTime: fields[19] ?? '',
      ended: state === 'Z' || state === 'X',
      parent: Number(parent),
      group: Number(group),
      session: Number(session),
    };
  });

/** Undefined where there is no such process, or only its zombie. */
const startTimeOf = (pid: number): string | undefined => {
  const stat = statOf(pid);
  return stat === undefined || stat.ended ? undefined : stat.startTime;
};

export const identify = (pid: number): ProcessIdentity => ({ pid, startTime: startTimeOf(pid) ?? '' });

export const isAlive = (process: ProcessIdentity): boolean =>
  process.pid > 1 && process.startTime !== '' && startTimeOf(process.pid) === process.startTime;

/** False where the process is gone. The descriptor pins the process while we compare, so there is no race. */
export const signal = (process: ProcessIdentity, number: number): boolean => {
  if (process.pid <= 1) return false;
  const pidfd = attempt(() => ffi.pidfdOpen(process.pid));
  if (pidfd === undefined) return false;
  try {
    if (!isAlive(process)) return false;
    ffi.pidfdSendSignal(pidfd, number);
    return true;
  } catch (error) {
    if (failedWith(error, ESRCH)) return false;
    throw error;
  } finally {
    ffi.close(pidfd);
  }
};

/**
 * Of `all`, who came from one of `roots`: descendants, and who is in a process group or session that one of them leads
 * (there is where a child stays whose parent ended). Pure. Never init or `self`.
 */
export const familyOf = (
  all: readonly ProcessStat[],
  roots: readonly number[],
  self: number,
): readonly ProcessStat[] => {
  const family = new Set(roots.filter((pid) => pid > 1 && pid !== self));
  const belongs = ({ pid, parent, group, session }: ProcessStat) =>
    pid > 1 && pid !== self && [pid, parent, group, session].some((number) => family.has(number));
  for (let before = -1; before !== family.size; ) {
    before = family.size;
    for (const stat of all) if (belongs(stat)) family.add(stat.pid);
  }
  return all.filter(({ pid }) => family.has(pid));
};

/** Everybody's pid. */
export const everybody = (): readonly number[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);

/** While the number is somebody else's by now, nobody is looked for by it. */
const isStill = ({ pid, startTime }: ProcessIdentity): boolean => {
  const stat = pid > 1 && startTime !== '' ? statOf(pid) : undefined;
  return startTime !== '' && (stat === undefined || stat.startTime === startTime);
};

/** Rounds of looking: a process that was told to end can start no other, so two are the rule. */
const ROUNDS = 10;

/** In slices: all of /proc takes some 15 ms with a thousand processes. */
const statsOf = async (pids: Iterable<number>): Promise<readonly ProcessStat[]> => {
  const stats: ProcessStat[] = [];
  const pace = createPace();
  for (const pid of pids) {
    const stat = statOf(pid);
    if (stat) stats.push(stat);
    if (pace.due()) await pace.rest();
  }
  return stats;
};

/**
 * Signals the processes and all that came from them. `among`: where those are to be looked for, asked anew each round. Never rejects:
 * one that may not be signalled is as one that does not end, for which whoever waits has a limit.
 */
export const signalFamily = async (
  roots: readonly ProcessIdentity[],
  number: number,
  among: () => readonly number[] = everybody,
): Promise<void> => {
  const told = new Set<number>();
  for (let round = 0; round < ROUNDS; round += 1) {
    const all = await statsOf(new Set([...roots.map(({ pid }) => pid), ...(attempt(among) ?? [])]));
    // Only now: a number may have become a stranger's while all were looked at.
    const meant = roots.filter(isStill).map(({ pid }) => pid);
    const left = familyOf(all, meant, process.pid).filter(({ pid, ended }) => !ended && !told.has(pid));
    if (left.length === 0) return;
    for (const each of left) {
      told.add(each.pid);
      attempt(() => signal(each, number));
    }
  }
};
