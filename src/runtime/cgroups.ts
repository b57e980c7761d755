/** A container's cgroups, v1 (one directory a controller) or v2 (one directory): members, freezing, removal, OOM. */

import { readdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ENOENT, failedWith } from '../errno.js';
import { attempt } from '../errors.js';
import { textOrNone } from '../small-files.js';
import { cgroupPathOf } from './spec/config.js';

const MOUNT = '/sys/fs/cgroup';

export interface Cgroups {
  readonly version: 1 | 2;
  /** directory of the container's cgroup in the hierarchy of `controller` (any, with v2) */
  directory(id: string, controller: string): string;
  /** Pids of every process in the cgroup and below. */
  members(id: string): readonly number[];
  setFrozen(id: string, frozen: boolean): void;
  isFrozen(id: string): boolean;
  /** Processes killed for lack of memory, so far. */
  oomKills(id: string): number;
  /** Removes the directories; true where nothing is left of them. Not on the loop: the kernel locks all cgroups for it. */
  remove(id: string): Promise<boolean>;
  /** Removes the directory that all containers' cgroups are in, where none is left. */
  removeEmpty(): void;
}

const subdirectories = (directory: string): readonly string[] =>
  attempt(() =>
    readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => join(directory, entry.name)),
  ) ?? [];

const membersOf = (directory: string): readonly number[] => [
  ...textOrNone(join(directory, 'cgroup.procs')).split('\n').filter(Boolean).map(Number),
  ...subdirectories(directory).flatMap(membersOf),
];

/** True where it is gone; a cgroup that has members, or others inside, stays. */
const removeOne = (directory: string): Promise<boolean> =>
  rmdir(directory).then(
    () => true,
    (error: unknown) => failedWith(error, ENOENT),
  );

/** Innermost first, where there is anything inside, as there mostly is not. */
const removeTree = async (directory: string): Promise<boolean> => {
  if (await removeOne(directory)) return true;
  for (const inner of subdirectories(directory)) await removeTree(inner);
  return removeOne(directory);
};

const hierarchies = (version: 1 | 2): readonly string[] =>
  version === 2
    ? [MOUNT]
    : readdirSync(MOUNT, { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map((entry) => join(MOUNT, entry.name));

export const cgroupsOf = (version: 1 | 2): Cgroups => {
  const roots = hierarchies(version);
  const directory = (id: string, controller: string): string =>
    version === 2 ? join(MOUNT, cgroupPathOf(id)) : join(MOUNT, controller, cgroupPathOf(id));
  return {
    version,
    directory,
    members: (id) => membersOf(directory(id, 'pids')),
    setFrozen: (id, frozen) => {
      if (version === 2) writeFileSync(join(directory(id, ''), 'cgroup.freeze'), frozen ? '1' : '0');
      else writeFileSync(join(directory(id, 'freezer'), 'freezer.state'), frozen ? 'FROZEN' : 'THAWED');
    },
    isFrozen: (id) =>
      version === 2
        ? textOrNone(join(directory(id, ''), 'cgroup.freeze')).trim() === '1'
        : /FR(EEZING|OZEN)/.test(textOrNone(join(directory(id, 'freezer'), 'freezer.state'))),
    oomKills: (id) => {
      const text =
        version === 2
          ? textOrNone(join(directory(id, ''), 'memory.events'))
          : textOrNone(join(directory(id, 'memory'), 'memory.oom_control'));
      return Number(/^oom_kill (\d+)/m.exec(text)?.[1] ?? 0);
    },
    remove: async (id) =>
      (await Promise.all(roots.map((root) => removeTree(join(root, cgroupPathOf(id)))))).every(Boolean),
    removeEmpty: () => {
      // one that is in use stays
      for (const root of roots) attempt(() => rmdirSync(join(root, dirname(cgroupPathOf('any')))));
    },
  };
};
