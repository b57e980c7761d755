/** What this machine has: the programs we delegate to, its cgroups, capabilities and kernel. Looked up once at start. */

import { accessSync, constants, existsSync, readdirSync, readFileSync, statfsSync } from 'node:fs';
import { arch, release } from 'node:os';
import { join } from 'node:path';
import { unavailable } from '../errors.js';
import { ANSWER_LIMIT, runProgram } from '../kernel/program.js';
import { textOrNone } from '../small-files.js';
import { capabilitiesOfMask } from './spec/capabilities.js';
import type { HostFacts } from './spec/config.js';

const SEARCH = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];
/** CGROUP2_SUPER_MAGIC of `include/uapi/linux/magic.h` */
const CGROUP2 = 0x63677270;

export interface Machine {
  readonly runtime: { readonly name: 'crun' | 'runc'; readonly path: string; readonly version: string };
  readonly conmon: string;
  /** starts twice as fast as util-linux's programs; absent: those do */
  readonly busybox?: string;
  /** static init program for `--init`; empty: none installed */
  readonly init: string;
  /** crun refuses create where cgroup2 is mounted beside v1 with controllers of its own */
  readonly hideUnified: boolean;
  readonly facts: HostFacts;
}

const findProgram = (name: string): string | undefined =>
  SEARCH.map((directory) => join(directory, name)).find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });

/** An ELF file without an interpreter segment (PT_INTERP, 3) runs in any root file system. */
const isStatic = (path: string): boolean => {
  const elf = readFileSync(path);
  if (elf.length < 64 || elf.readUInt32BE(0) !== 0x7f454c46 || elf[4] !== 2) return false;
  const offset = Number(elf.readBigUInt64LE(32));
  const size = elf.readUInt16LE(54);
  const count = elf.readUInt16LE(56);
  return !Array.from({ length: count }, (_, i) => elf.readUInt32LE(offset + i * size)).includes(3);
};

const findInit = (): string =>
  ['docker-init', 'catatonit', 'tini-static', 'tini']
    .map(findProgram)
    .find((path) => path !== undefined && isStatic(path)) ?? '';

const cgroupFeatures = (): HostFacts['cgroup'] => {
  if (statfsSync('/sys/fs/cgroup').type === CGROUP2)
    return {
      version: 2,
      swap: existsSync('/proc/swaps') && existsSync('/sys/fs/cgroup/cgroup.controllers'),
      blkioWeight: /\bio\b/.test(textOrNone('/sys/fs/cgroup/cgroup.controllers')),
    };
  return {
    version: 1,
    swap: existsSync('/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes'),
    blkioWeight: existsSync('/sys/fs/cgroup/blkio/blkio.weight'),
  };
};

const thermalPaths = (): readonly string[] =>
  readdirSync('/sys/devices/system/cpu')
    .filter((name) => /^cpu\d+$/.test(name))
    .map((name) => `/sys/devices/system/cpu/${name}/thermal_throttle`)
    .filter((path) => existsSync(path));

const hostFacts = (): HostFacts => {
  const mask = /^CapBnd:\s*([0-9a-f]+)/m.exec(textOrNone('/proc/self/status'))?.[1] ?? '0';
  const [major = 0, minor = 0] = release().split(/[.-]/).map(Number);
  return {
    cgroup: cgroupFeatures(),
    capabilities: capabilitiesOfMask(mask),
    arch: arch() === 'x64' ? 'amd64' : arch(),
    kernel: [major, minor],
    maskedPaths: thermalPaths(),
  };
};

/** Throws unavailable, with the remedy, where a program is missing. */
export const inspectMachine = async (preferred?: 'crun' | 'runc'): Promise<Machine> => {
  const conmon = findProgram('conmon');
  const crun = preferred === 'runc' ? undefined : findProgram('crun');
  const path = crun ?? findProgram('runc');
  if (!conmon || !path)
    throw unavailable(
      `${conmon ? 'crun (or runc)' : 'conmon'} is not installed: apt-get install conmon crun`,
    );
  const busybox = findProgram('busybox');
  const stdout = String(await runProgram({ command: path, args: ['--version'], limit: ANSWER_LIMIT }));
  return {
    runtime: {
      name: crun ? 'crun' : 'runc',
      path,
      version: /version (\S+)/.exec(stdout)?.[1] ?? 'unknown',
    },
    conmon,
    ...(busybox ? { busybox } : {}),
    init: findInit(),
    hideUnified: crun !== undefined && textOrNone('/sys/fs/cgroup/unified/cgroup.controllers').trim() !== '',
    facts: hostFacts(),
  };
};
