/** Processes by pid and start time, so that a pid taken over by a stranger is never mistaken for ours, nor signalled. */
import { closeSync, openSync, readSync } from 'node:fs';
import * as ffi from '../kernel/ffi.js';

export interface ProcessIdentity {
  readonly pid: number;
  /** clock ticks since boot, field 22 of /proc/pid/stat */
  readonly startTime: string;
}

/** Longer than the kernel's line. */
const line = Buffer.alloc(2048);
/** In one read: every running container is asked about at the daemon's start, and each few seconds. */
const statOf = (pid: number): string => {
  const fd = openSync(`/proc/${pid}/stat`, 'r');
  try {
    return line.toString('latin1', 0, readSync(fd, line, 0, line.length, null));
  } finally {
    closeSync(fd);
  }
};

/** Undefined where there is no such process, or only its zombie. */
const startTimeOf = (pid: number): string | undefined => {
  try {
    const stat = statOf(pid);
    // The command (field 2) may hold spaces and parentheses: count from its end.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
  } catch {
    return undefined;
  }
};

export const identify = (pid: number): ProcessIdentity => ({ pid, startTime: startTimeOf(pid) ?? '' });

export const isAlive = (process: ProcessIdentity): boolean =>
  process.pid > 0 && process.startTime !== '' && startTimeOf(process.pid) === process.startTime;

/** False where the process is gone. The descriptor pins the process while we compare, so there is no race. */
export const signal = (process: ProcessIdentity, number: number): boolean => {
  let pidfd: number;
  try {
    pidfd = ffi.pidfdOpen(process.pid);
  } catch {
    return false;
  }
  try {
    if (!isAlive(process)) return false;
    ffi.pidfdSendSignal(pidfd, number);
    return true;
  } catch (error) {
    if (error instanceof ffi.SystemError && error.code === 'ESRCH') return false;
    throw error;
  } finally {
    ffi.close(pidfd);
  }
};
