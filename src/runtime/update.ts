/** New limits for a running container (`docker update`), through the OCI runtime's own `update`. */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { invalid } from '../errors.js';
import { ANSWER_LIMIT, runProgram } from '../kernel/program.js';
import type { Container } from '../model/container.js';
import type { Context } from './context.js';
import { updatedResources } from './spec/resources.js';

/** Throws conflict where it does not run, invalid where the kernel refuses a value. */
export const update = async (id: string, host: Container['hostConfig'], context: Context): Promise<void> => {
  context.records.need(id);
  const { runtime, facts } = context.machine;
  // crun opens the name it is given, which a socket as /dev/stdin does not allow.
  const file = join(context.layout.bundle(id), 'resources.json');
  writeFileSync(file, JSON.stringify(updatedResources(host, facts.cgroup)), { mode: 0o600 });
  try {
    const args = [`--root=${context.layout.states}`, 'update', `--resources=${file}`, id];
    await runProgram({ command: runtime.path, args, limit: ANSWER_LIMIT });
    // crun 1.8 writes -1 for "unlimited", which the kernel refuses.
    if (!host.PidsLimit || host.PidsLimit < 0)
      writeFileSync(join(context.cgroups.directory(id, 'pids'), 'pids.max'), 'max');
  } catch (cause) {
    const words = cause instanceof Error && 'stderr' in cause ? String(cause.stderr).trim() : String(cause);
    throw invalid(`Cannot update container ${id}: ${words}`, cause);
  } finally {
    rmSync(file, { force: true });
  }
};
