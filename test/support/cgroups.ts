/** Cgroups of a dockerd that was started for a measurement or a test. */
import { existsSync, readdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';

/** Removes what containers that were killed without their daemon left of a cgroup, in every hierarchy. */
export const removeCgroups = (cgroup: string): void => {
  const remove = (directory: string): void => {
    if (!existsSync(directory)) return;
    for (const entry of readdirSync(directory, { withFileTypes: true }))
      if (entry.isDirectory()) remove(join(directory, entry.name));
    rmdirSync(directory);
  };
  const hierarchies = readdirSync('/sys/fs/cgroup', { withFileTypes: true });
  for (const hierarchy of ['.', ...hierarchies.filter((h) => h.isDirectory()).map((h) => h.name)]) {
    try {
      remove(join('/sys/fs/cgroup', hierarchy, cgroup));
    } catch (error) {
      process.stderr.write(`cgroup ${cgroup} stays: ${String(error)}\n`);
    }
  }
};
