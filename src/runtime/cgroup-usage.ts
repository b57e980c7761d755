/** A reading of a container's cgroup in the units of Docker's stats. */

import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { textOrNone } from '../small-files.js';
import type { Cgroups } from './cgroups.js';
import type { Usage } from './contract.js';
import { interfacesOf } from './network-usage.js';

/** nanoseconds of one clock tick (USER_HZ is 100 on every architecture we serve) */
const TICK = 10_000_000;

const read = (directory: string, file: string): string => textOrNone(join(directory, file));

const number = (text: string): number => {
  const value = Number(text.trim());
  return Number.isFinite(value) ? value : 0;
};

/** `key value` lines. */
const field = (text: string, key: string): number =>
  Number(new RegExp(`^${key} (\\d+)`, 'm').exec(text)?.[1] ?? 0);

/** All of user, nice, system, idle, iowait, irq, softirq and steal, as Docker adds them up. */
const hostCpu = (): number =>
  read('/proc', 'stat')
    .split('\n', 1)[0]
    ?.split(/\s+/)
    .slice(1, 9)
    .reduce((sum, ticks) => sum + Number(ticks) * TICK, 0) ?? 0;

const hostMemory = (): number =>
  Number(/^MemTotal:\s+(\d+)/m.exec(read('/proc', 'meminfo'))?.[1] ?? 0) * 1024;

const ioSum = (text: string, pattern: RegExp): number =>
  [...text.matchAll(pattern)].reduce((sum, match) => sum + Number(match[1]), 0);

type Reading = Omit<Usage, 'onlineCpus' | 'hostCpuNanoseconds' | 'networks'>;

const readV1 = (cgroups: Cgroups, id: string): Reading => {
  const cpu = cgroups.directory(id, 'cpuacct');
  const memory = cgroups.directory(id, 'memory');
  const io = read(cgroups.directory(id, 'blkio'), 'blkio.throttle.io_service_bytes_recursive');
  return {
    cpuNanoseconds: number(read(cpu, 'cpuacct.usage')),
    cpuUserNanoseconds: number(read(cpu, 'cpuacct.usage_user')),
    cpuSystemNanoseconds: number(read(cpu, 'cpuacct.usage_sys')),
    memoryBytes: number(read(memory, 'memory.usage_in_bytes')),
    memoryLimitBytes: number(read(memory, 'memory.limit_in_bytes')),
    memoryCacheBytes: field(read(memory, 'memory.stat'), 'total_inactive_file'),
    pids: number(read(cgroups.directory(id, 'pids'), 'pids.current')),
    blockReadBytes: ioSum(io, /^\S+ Read (\d+)$/gm),
    blockWriteBytes: ioSum(io, /^\S+ Write (\d+)$/gm),
  };
};

const readV2 = (cgroups: Cgroups, id: string): Reading => {
  const directory = cgroups.directory(id, '');
  const cpu = read(directory, 'cpu.stat');
  const io = read(directory, 'io.stat');
  return {
    cpuNanoseconds: field(cpu, 'usage_usec') * 1000,
    cpuUserNanoseconds: field(cpu, 'user_usec') * 1000,
    cpuSystemNanoseconds: field(cpu, 'system_usec') * 1000,
    memoryBytes: number(read(directory, 'memory.current')),
    memoryLimitBytes: number(read(directory, 'memory.max')),
    memoryCacheBytes: field(read(directory, 'memory.stat'), 'inactive_file'),
    pids: number(read(directory, 'pids.current')),
    blockReadBytes: ioSum(io, /\brbytes=(\d+)/g),
    blockWriteBytes: ioSum(io, /\bwbytes=(\d+)/g),
  };
};

/** Undefined where the container has no cgroup (any more). A limit above the machine's memory is the machine's. */
export const usageOf = (cgroups: Cgroups, id: string): Usage | undefined => {
  const [first] = cgroups.members(id);
  if (first === undefined) return undefined;
  const reading = cgroups.version === 1 ? readV1(cgroups, id) : readV2(cgroups, id);
  const networks = interfacesOf(first);
  const host = hostMemory();
  const limit = reading.memoryLimitBytes;
  return {
    ...reading,
    memoryLimitBytes: limit > 0 && limit < host ? limit : host,
    onlineCpus: availableParallelism(),
    hostCpuNanoseconds: hostCpu(),
    ...(networks ? { networks } : {}),
  };
};
