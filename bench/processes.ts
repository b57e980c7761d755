/** What a daemon costs in processes and memory, read from /proc and /sys. */
import { readFileSync } from 'node:fs';

export interface Footprint {
  readonly processes: number;
  /** resident pages, each shared page divided by its users; megabytes (10^6 bytes) */
  readonly pss: number;
  /** resident pages, shared ones counted in each process; megabytes */
  readonly rss: number;
  /** `Slab` of /proc/meminfo: the kernel's small objects of the whole machine; megabytes */
  readonly slab: number;
}

const kilobytes = (text: string, field: string): number =>
  Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0);
const MEGABYTE = 1e6 / 1024; // in the kB (1,024 bytes) of /proc

const read = (path: string): string => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // the process has ended
  }
};

/** Of /proc/PID/stat; `CONFIG_HZ` of what it says to programs is 100 everywhere. */
const TICKS_A_SECOND = 100;

/** Milliseconds of processor that they have had so far, their own and the kernel's for them. */
export const processorMs = (pids: readonly number[]): number =>
  pids.reduce((total, pid) => {
    // Behind the program's name, which may have blanks: state, and 10 fields on utime and stime.
    const fields = read(`/proc/${pid}/stat`)
      .replace(/^.*\) /s, '')
      .split(' ');
    return total + ((Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) * 1000) / TICKS_A_SECOND;
  }, 0);

/** The program's name, as the kernel has it. */
export const programOf = (pid: number): string => read(`/proc/${pid}/comm`).trim();

export const footprint = (pids: readonly number[]): Footprint => {
  const rolled = pids.map((pid) => read(`/proc/${pid}/smaps_rollup`));
  const sum = (field: string): number =>
    rolled.reduce((total, text) => total + kilobytes(text, field), 0) / MEGABYTE;
  return {
    processes: pids.length,
    pss: sum('Pss'),
    rss: sum('Rss'),
    slab: kilobytes(read('/proc/meminfo'), 'Slab') / MEGABYTE,
  };
};
