/** What a container's end leads to: record and kernel follow it, then its restart policy or `--rm` has its way. */
import { failpoint } from '../../failpoints.js';
import type { ContainerState } from '../../model/container.js';
import type { Exit } from '../../runtime/contract.js';
import { end } from '../attach/index.js';
import type { Life } from './life.js';
import { releaseMounts } from './mounts.js';
import { remove } from './removal.js';
import { restartsAfterExit } from './restart-policy.js';
import { containerEvent, isRunning } from './state.js';

/** Its end is recorded when it comes. */
export const watchExit = (life: Life, id: string): void => {
  const { parts, locks } = life;
  parts.runtime.onExit(id, (exit) => {
    locks
      .run(id, () => finish(life, id, exit))
      .catch((error: unknown) => {
        parts.log.error({ container: id, error: String(error) }, 'clean-up after exit failed');
      });
  });
};

/**
 * Brings the record and the kernel in line with a process that has ended, then restarts or removes by policy.
 * `revives`: decided already, at the daemon's start; the caller restarts it.
 */
export const finish = async (life: Life, id: string, exit: Exit, revives?: boolean): Promise<void> => {
  const { parts } = life;
  const before = parts.model.containers.get(id);
  if (!before || !(isRunning(before) || before.sandboxId !== null)) return;
  failpoint('exit-seen');
  life.health.forget(id);
  await parts.runtime.delete(id).catch((error: unknown) => {
    parts.log.warn({ container: before.name, error: String(error) }, 'runtime state not removed');
  });
  const container = parts.model.getContainer(id);
  const stays = life.staying.has(id);
  const again = revives ?? (!stays && restartsAfterExit(container, exit.exitCode));
  const after: Partial<ContainerState> = {
    status: again ? 'restarting' : 'exited',
    pid: 0,
    exitCode: exit.exitCode,
    oomKilled: exit.oomKilled,
    finishedAt: exit.finishedAt,
  };
  end(parts, id, (now) => ({ ...now, state: { ...now.state, ...after } }));
  releaseMounts(parts, container);
  await parts.hostPorts?.released();
  if (exit.oomKilled) containerEvent(parts, container, 'oom');
  containerEvent(parts, container, 'die', { exitCode: String(exit.exitCode) });
  life.waiters.tell(id, 'next-exit', { exitCode: exit.exitCode, error: '' });
  if (again && (revives || life.closing)) return; // the daemon's next start goes on
  if (again) life.restarts.schedule(id, Date.parse(exit.finishedAt) - Date.parse(container.state.startedAt));
  else if (!stays && container.hostConfig.AutoRemove) await remove(life, id, true);
};
