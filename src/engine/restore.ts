/**
 * A daemon's start: the records are read, containers that ended meanwhile are noted, and the kernel is brought from what
 * is observed to what the records say. Containers that run on never notice.
 */

import type { Kernel } from '../kernel/contract.js';
import type { Container } from '../model/container.js';
import { diff } from '../plan/diff.js';
import type { KernelObject } from '../plan/objects.js';
import type { Store } from '../store/store.js';
import type { Lifecycle } from './containers/lifecycle.js';
import { restartsWithDaemon } from './containers/restart.js';
import { allSlices } from './derive.js';
import type { Derive } from './ledger.js';
import type { Model } from './model.js';
import { type Parts, timestamp } from './parts.js';

export const loadModel = (model: Model, store: Store): void => {
  for (const change of store.load()) model.change(change);
};

/** Everything the model wants, in one list. */
export const desired = (model: Model, derive: Derive): readonly KernelObject[] =>
  allSlices(model).flatMap((slice) => derive(model, slice));

/**
 * An orderly stop with no container running leaves nothing in the kernel: what the records want comes back at the next
 * start. Only what we derive is taken away, so a bridge of the user's keeps what the user gave it.
 */
export const retire = (kernel: Kernel, model: Model, derive: Derive): void => {
  if (model.sandboxes.size > 0) return;
  kernel.apply(diff(desired(model, derive), []));
  kernel.dropTables();
};

interface Found {
  readonly container: Container;
  readonly alive: boolean;
  readonly exitCode: number;
}

const look = (parts: Parts, container: Container): Found => {
  const state = parts.runtime.adopt(container.id);
  if (state && 'pid' in state) return { container, alive: true, exitCode: 0 };
  return { container, alive: false, exitCode: state?.exit.exitCode ?? 255 };
};

/** Before the kernel converges: sandboxes of containers that ended while nobody watched must not be rebuilt. */
export const settleContainers = async (parts: Parts, lifecycle: Lifecycle): Promise<readonly Container[]> => {
  const revive: Container[] = [];
  const running: string[] = [];
  for (const container of [...parts.model.containers.values()]) {
    const { status } = container.state;
    if (status === 'removing') {
      await lifecycle.finishRemoval(container.id, container.hostConfig.AutoRemove).catch((error: unknown) => {
        parts.log.error({ container: container.name, error: String(error) }, 'removal not finished');
      });
      continue;
    }
    const wasRunning = status === 'running' || status === 'paused' || status === 'restarting';
    if (!wasRunning && container.sandboxId === null) {
      if (restartsWithDaemon(container, false, container.state.exitCode)) revive.push(container);
      continue;
    }
    const found = look(parts, container);
    if (found.alive && wasRunning && status !== 'restarting') running.push(container.id);
    else if (await settleEnded(parts, lifecycle, found, wasRunning)) revive.push(container);
  }
  lifecycle.readopt(running);
  return revive;
};

/**
 * Records the end of one that is gone. Answers whether its policy brings it back; it is `restarting` until then, so that
 * a crash before its start does not forget that.
 */
const settleEnded = async (
  parts: Parts,
  lifecycle: Lifecycle,
  found: Found,
  wasRunning: boolean,
): Promise<boolean> => {
  const { container, exitCode } = found;
  if (container.state.status === 'restarting' && container.sandboxId === null)
    return settleRestarting(parts, container);
  const state = parts.runtime.adopt(container.id);
  const exit =
    state && 'exit' in state ? state.exit : { exitCode, oomKilled: false, finishedAt: timestamp() };
  const revives = restartsWithDaemon(container, wasRunning, exit.exitCode);
  await lifecycle.finish(container.id, exit, revives);
  return revives;
};

/** Its end was recorded before; only the new start was still to come. */
const settleRestarting = (parts: Parts, container: Container): boolean => {
  const revives = restartsWithDaemon(container, true, container.state.exitCode);
  if (revives) return true;
  const state = { ...container.state, status: 'exited' as const };
  parts.ledger.commit([{ table: 'container', id: container.id, value: { ...container, state } }]);
  return false;
};

/**
 * Where records were lost: a container that runs on is told of, not killed. When it has ended, only its writable files
 * stay, for whoever needs them.
 */
export const settleStrays = ({ runtime, images, model, log }: Parts): void => {
  const clear = (id: string): void =>
    void runtime
      .delete(id)
      .then(() => images.unmount(id))
      .catch((error: unknown) => log.warn({ container: id, error: String(error) }, 'stray not removed'));
  for (const { id, pid } of runtime.strays((known) => model.containers.has(known))) {
    if (pid === 0) clear(id);
    else {
      log.error({ container: id, pid }, `a container runs that no record knows: end it with \`kill ${pid}\``);
      runtime.onExit(id, () => clear(id));
    }
  }
};
