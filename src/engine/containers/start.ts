/** A container's start under its lock, by a user's command or by a restart policy; what remains of one that failed is its reason. */
import { conflict, messageOf } from '../../errors.js';
import { failpoint } from '../../failpoints.js';
import { type Container, type ContainerState, NEVER } from '../../model/container.js';
import { StartError } from '../../runtime/contract.js';
import { end } from '../attach/index.js';
import { timestamp } from '../fresh.js';
import { bringNetworks } from '../networks/in-cluster.js';
import { followLinks } from './etc-files.js';
import { watchExit } from './exit.js';
import { launch } from './launch.js';
import type { Life } from './life.js';
import { releaseMounts } from './mounts.js';
import { amendState } from './record.js';
import { remove } from './removal.js';
import { containerEvent } from './state.js';

const running = (pid: number): Partial<ContainerState> => ({
  status: 'running',
  pid,
  exitCode: 0,
  error: '',
  oomKilled: false,
  startedAt: timestamp(),
});

/** As Docker's: 127 where the command is missing, 126 where it cannot be run, else 128. */
const startExitCode = (error: unknown): number => (error instanceof StartError ? error.exitCode : 128);

/** `restartCount`: as the record has it from now on. Throws why it could not be started. */
export const start = async (life: Life, id: string, restartCount: number): Promise<void> => {
  const { parts, starting, health } = life;
  const givenUp = new AbortController();
  starting.set(id, givenUp);
  const begun = { stoppedByUser: false, restartCount };
  try {
    await run(life, { ...parts.model.getContainer(id), ...begun }, givenUp.signal);
  } catch (error) {
    await abandon(life, id, begun, error);
    throw error;
  } finally {
    starting.delete(id);
  }
  const started = parts.model.getContainer(id);
  containerEvent(parts, started, 'start');
  health.watch(started);
  followLinks(parts, started);
};

const run = async (life: Life, container: Container, givenUp: AbortSignal): Promise<void> => {
  const { parts } = life;
  const { id } = container;
  if (parts.cluster)
    await bringNetworks(
      parts,
      container.networks.map(({ networkId, name }) => networkId || name),
    );
  const { pid } = await launch(parts, container, givenUp);
  failpoint('runtime-created');
  if (givenUp.aborted) throw conflict('the start was given up: the container is being removed');
  watchExit(life, id);
  life.attachments.join(id, () => parts.runtime.attach(id));
  await parts.runtime.start(id);
  failpoint('runtime-started');
  if (parts.model.getContainer(id).sandboxId === null) return; // it ended before we got here
  amendState(parts, id, running(pid));
};

const abandon = async (life: Life, id: string, begun: Partial<Container>, cause: unknown): Promise<void> => {
  const { parts } = life;
  life.attachments.abandon(id);
  await parts.runtime.delete(id).catch(() => undefined);
  const error = messageOf(cause);
  const exitCode = startExitCode(cause);
  const container = parts.model.getContainer(id);
  end(parts, id, (now) => {
    const status = now.state.startedAt === NEVER ? 'created' : 'exited';
    return { ...now, ...begun, state: { ...now.state, status, pid: 0, exitCode, error } };
  });
  releaseMounts(parts, container);
  life.waiters.tell(id, 'next-exit', { exitCode, error });
  if (container.hostConfig.AutoRemove) await remove(life, id, true).catch(() => undefined);
};
