/**
 * A daemon's start: the records are read, containers that ended meanwhile are noted, and the kernel is brought from what
 * is observed to what the records say. Containers that run on never notice.
 */

import { portsTaken } from '../../firewall/publish.js';
import type { Kernel } from '../../kernel/contract.js';
import type { Claim } from '../../model/claim.js';
import type { Container } from '../../model/container.js';
import { diff } from '../../plan/diff.js';
import { type KernelObject, objectKey } from '../../plan/objects.js';
import type { Exit } from '../../runtime/contract.js';
import type { Store } from '../../store/store.js';
import type { Lifecycle } from '../containers/lifecycle.js';
import { inOrder } from '../containers/order.js';
import { amendState } from '../containers/record.js';
import { restartsWithDaemon } from '../containers/restart-policy.js';
import { type Found, settle } from '../containers/transitions.js';
import { timestamp } from '../fresh.js';
import type { Outside, Writing } from '../parts.js';
import type { View } from '../view.js';
import { allSlices, type Derive } from './derive.js';
import type { Model, ReadModel } from './model.js';
import { type Change, isKnown } from './tables.js';

type Restoring = Pick<View, 'model'> &
  Pick<Writing, 'ledger' | 'log'> &
  Pick<Outside, 'runtime' | 'images' | 'kernel'>;

export const loadModel = (model: Model, store: Store): void => {
  for (const change of store.load()) if (isKnown(change)) model.change(change);
};

/** Everything the model wants, in one list. */
const desired = (model: ReadModel, derive: Derive): readonly KernelObject[] =>
  allSlices(model).flatMap((slice) => derive(model, slice));

/** Links: the kernel takes 17 ms to delete a bridge, and whoever asked it to cannot end before. */
const SOON_GONE = 16;

/**
 * An orderly stop with no container running leaves nothing in the kernel: what the records want comes back at the next
 * start. Only what we derive is taken away, so a bridge of the user's keeps what the user gave it. Where many networks would make a
 * restart wait for them twice, all stays as it is, as it does after a kill.
 */
export const retire = (kernel: Kernel, model: ReadModel, derive: Derive): void => {
  if (model.sandboxes.size > 0) return;
  const all: KernelObject[] = [];
  let links = 0;
  for (const slice of allSlices(model)) {
    const objects = derive(model, slice);
    links += objects.filter(({ kind }) => kind === 'link').length;
    if (links > SOON_GONE) return;
    all.push(...objects);
  }
  kernel.apply(diff(all, []));
  kernel.dropTables();
};

/** What is there of a container that ran, or whose start was under way. */
const look = (parts: Restoring, { id }: Container): { readonly found: Found; readonly exit: Exit } => {
  const unknown: Exit = { exitCode: 255, oomKilled: false, finishedAt: timestamp() };
  const state = parts.runtime.adopt(id);
  if (state === undefined) return { found: 'nothing', exit: unknown };
  if ('exit' in state) return { found: 'ended', exit: state.exit };
  return { found: parts.runtime.isPaused(id) ? 'frozen' : 'running', exit: unknown };
};

/**
 * Before the kernel converges: sandboxes of containers that ended while nobody watched must not be rebuilt. Answers those
 * that their policies bring back, which each start of the daemon decides anew.
 */
export const settleContainers = async (
  parts: Restoring,
  lifecycle: Lifecycle,
): Promise<readonly Container[]> => {
  const running: string[] = [];
  const revive: string[] = [];
  for (const { id } of [...parts.model.containers.values()])
    try {
      const fate = await settleOne(parts, lifecycle, parts.model.getContainer(id));
      if (fate === 'runs') running.push(id);
      if (fate === 'comes-back') revive.push(id);
    } catch (error) {
      parts.log.error({ container: id, error: String(error) }, 'not as it was recorded');
    }
  lifecycle.readopt(running);
  return revive.flatMap((id) => parts.model.containers.get(id) ?? []);
};

type Fate = 'runs' | 'comes-back' | 'stays';

const settleOne = async (parts: Restoring, lifecycle: Lifecycle, container: Container): Promise<Fate> => {
  const { id, state, hostConfig } = container;
  const holds = container.sandboxId !== null;
  const ran = state.status === 'running' || state.status === 'paused';
  const { found, exit } =
    ran || holds
      ? look(parts, container)
      : { found: 'nothing' as const, exit: { exitCode: state.exitCode, oomKilled: false, finishedAt: '' } };
  const comesBack = restartsWithDaemon(container, exit.exitCode);
  const steps = settle(state.status, found, { holds, leaves: hostConfig.AutoRemove && !comesBack });
  for (const step of steps) {
    if (step === 'erase') await lifecycle.finishRemoval(id, hostConfig.AutoRemove);
    else if (step === 'finish') await lifecycle.finish(id, exit, comesBack);
    else if (step === 'freeze') await parts.runtime.pause(id);
    else await parts.runtime.resume(id);
  }
  if (steps.includes('erase')) return 'stays';
  if (ran && !steps.includes('finish')) return 'runs';
  // Its end was recorded before; only the new start was still to come.
  if (state.status === 'restarting' && !comesBack) amendState(parts, id, { status: 'exited' });
  return comesBack ? 'comes-back' : 'stays';
};

/** Each as soon as those that it stands on have started, or could not be: links, shared namespaces. */
export const reviveContainers = (
  parts: Restoring,
  lifecycle: Lifecycle,
  revive: readonly Container[],
): void => {
  const started = new Map<string, Promise<void>>();
  for (const { container, after } of inOrder(revive, (reference) => parts.model.findContainer(reference))) {
    const start = async (): Promise<void> => {
      await Promise.all(after.map((id) => started.get(id)));
      await lifecycle.revive(container.id, 0);
    };
    started.set(
      container.id,
      start().catch((error: unknown) => {
        parts.log.error(
          { container: container.name, error: String(error) },
          'restart with the daemon failed',
        );
      }),
    );
  }
};

/** Containers of builds that ended with a former daemon. */
export const removeSteps = ({ model, log }: Restoring, lifecycle: Lifecycle): void => {
  for (const { id, name, step } of [...model.containers.values()])
    if (step)
      void lifecycle.remove(id, { force: true, volumes: true }).catch((error: unknown) => {
        log.error({ container: name, error: String(error) }, 'container of a build not removed');
      });
};

/**
 * Where records were lost: a container that runs on is told of, not killed. When it has ended, only its writable files
 * stay, for whoever needs them. Answers those that run, with their processes; `onLast` when none of them does any more.
 */
export const settleStrays = (
  { runtime, images, model, ledger, kernel, log }: Restoring,
  onLast: () => void,
): ReadonlyMap<string, number> => {
  const running = new Map<string, number>();
  const clear = (id: string): void =>
    void runtime
      .delete(id)
      .then(() => images.unmount(id))
      .catch((error: unknown) => log.warn({ container: id, error: String(error) }, 'stray not removed'));
  const strays = runtime.strays((known) => model.containers.has(known));
  /** Their addresses are nobody else's, on whichever network. */
  const claims = (held: (stray: (typeof strays)[number]) => Claim | null): readonly Change[] =>
    strays.map((stray) => ({ table: 'claim', id: stray.id, value: held(stray) }));
  const addressesOf = (pid: number): NonNullable<Claim['addresses']> => {
    if (pid === 0) return [];
    try {
      return kernel.addressesOf(pid).map((address) => ({ networkId: '', address }));
    } catch (error) {
      // It has ended just now, or may not be looked at: no reason for the daemon not to start.
      log.warn({ pid, error: String(error) }, 'its addresses are not seen: others may get them');
      return [];
    }
  };
  for (const { id, pid } of strays) {
    if (pid === 0) clear(id);
    else {
      log.error(
        { container: id, pid },
        `a container runs that no record knows, and keeps its networks until it ends: end it with \`kill ${pid}\``,
      );
      running.set(id, pid);
      runtime.onExit(id, () => {
        clear(id);
        running.delete(id);
        if (running.size > 0) return;
        ledger.commit(claims(() => null));
        onLast();
      });
    }
  }
  ledger.commit(claims(({ id, pid }) => ({ id, addresses: addressesOf(pid) })));
  return running;
};

/**
 * Ports of the host that strays publish: held, so that nobody else gets them. No record wants them, so they go with all else
 * of the strays.
 */
export const holdStrayPorts = (
  { model, kernel, log }: Restoring,
  derive: Derive,
  observed: readonly KernelObject[],
): void => {
  const wanted = new Set(desired(model, derive).map(objectKey));
  const theirs = observed
    .filter((o) => o.kind === 'element' || o.kind === 'published')
    .filter((o) => !wanted.has(objectKey(o)));
  for (const port of portsTaken(theirs))
    try {
      kernel.apply(diff([], [port]));
    } catch (error) {
      log.warn(
        { error: String(error) },
        'a port that a container publishes of which no record knows is not held',
      );
    }
};

/**
 * A namespace is bound in the mount namespace that its daemon had, and that may be gone (systemd's PrivateMounts, MountFlags):
 * its container still stands in it. Before the kernel converges, or an empty one would be made in its place. Throws what the
 * kernel refuses: nothing may be made under a container that runs.
 */
export const rebindNamespaces = ({ model, runtime, kernel, log }: Restoring): void => {
  for (const container of model.containers.values()) {
    const { id, name } = container;
    const netns = model.sandboxOf(container)?.netns ?? '';
    if (netns === '' || kernel.present({ kind: 'netns', path: netns })) continue;
    const state = runtime.adopt(id);
    if (!state || !('pid' in state)) continue;
    kernel.rebind(netns, state.pid);
    log.warn({ container: name, netns }, 'its network namespace was bound nowhere any more, and is again');
  }
};
