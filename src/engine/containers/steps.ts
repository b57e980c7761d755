/** What each step of the table in transitions.ts does. Each can be done twice. */
import { failpoint } from '../../failpoints.js';
import type { Exit } from '../../runtime/contract.js';
import { timestamp } from '../fresh.js';
import { finish } from './exit.js';
import type { Life } from './life.js';
import { amend, amendState } from './record.js';
import { signalNumber } from './signals.js';
import { containerEvent, isRunning } from './state.js';
import { endsWithin, killAtOnce, SIGKILL, type StopOptions, stopSignal, terminate } from './termination.js';
import type { Step } from './transitions.js';

/** What came with a command. */
export interface Wish extends StopOptions {
  /** volumes that were made for the container alone go with it */
  readonly volumes?: boolean;
}

/** Made from what is read before its lock is had, so decided anew under it. */
export type LockedStep = 'launch' | 'erase';

const noteStopped = ({ parts }: Life, id: string): void =>
  amend(parts, id, (now) => ({ ...now, stoppedByUser: true }));

/** One that has ended meanwhile needs none. */
const thaw = async ({ parts }: Life, id: string): Promise<void> => {
  try {
    await parts.runtime.resume(id);
  } catch (error) {
    parts.log.debug({ container: id, error: String(error) }, 'nothing to thaw');
  }
};

const signal = async (life: Life, id: string, name: string | undefined): Promise<void> => {
  const { parts, waiters } = life;
  const container = parts.model.getContainer(id);
  const number = signalNumber(name || 'SIGKILL');
  if (number === SIGKILL || number === stopSignal(container)) {
    noteStopped(life, id);
    if (container.state.status === 'paused') {
      amendState(parts, id, { status: 'running' });
      await thaw(life, id);
    }
  }
  const ended = waiters.wait(id, 'next-exit');
  await parts.runtime.kill(id, number);
  containerEvent(parts, container, 'kill', { signal: String(number) });
  if (number === SIGKILL) await endsWithin(container, ended);
};

/** The end of one that was killed and did not say so. */
const killed = (): Exit => ({ exitCode: 128 + SIGKILL, oomKilled: false, finishedAt: timestamp() });

/** Where its end is not heard of (conmon hangs), it is taken away without. Throws internal where not even that can be. */
const killSurely = async (life: Life, id: string): Promise<void> => {
  const { parts } = life;
  if (await killAtOnce(parts, life.waiters, parts.model.getContainer(id))) return;
  await life.locks.run(id, async () => {
    const container = parts.model.containers.get(id);
    if (!container || !isRunning(container)) return;
    parts.log.warn({ container: container.name }, 'its end is not told: it is taken away all the same');
    await parts.runtime.delete(id);
    await finish(life, id, killed());
  });
};

const whileStaying = async ({ staying }: Life, id: string, end: () => Promise<void>): Promise<void> => {
  staying.add(id);
  try {
    await end();
  } finally {
    staying.delete(id);
  }
};

/** Answers true where the table is to be asked again. */
type DoStep = (life: Life, id: string, wish: Wish) => unknown;

export const STEPS: Readonly<Record<Exclude<Step, LockedStep>, DoStep>> = {
  'wait-turn': ({ locks }, id) => locks.run(id, async () => true),
  'give-up-start': ({ starting }, id) => starting.get(id)?.abort(),
  'cancel-restart': ({ restarts }, id) => restarts.cancel(id),
  'note-stopped': noteStopped,
  'note-paused': ({ parts }, id) => amendState(parts, id, { status: 'paused' }),
  'note-running': ({ parts }, id) => amendState(parts, id, { status: 'running' }),
  'note-exited': ({ parts, waiters }, id) => {
    amendState(parts, id, { status: 'exited' });
    const { exitCode, error } = parts.model.getContainer(id).state;
    waiters.tell(id, 'next-exit', { exitCode, error });
  },
  freeze: async ({ parts }, id) => {
    failpoint('pause-noted');
    await parts.runtime.pause(id);
  },
  thaw: async (life, id) => {
    failpoint('thaw-noted');
    await thaw(life, id);
  },
  end: async ({ parts, waiters }, id, wish) => {
    const container = parts.model.getContainer(id);
    await terminate(parts, waiters, container, wish);
    containerEvent(parts, container, 'stop');
  },
  'end-staying': (life, id, wish) => {
    const { parts, waiters } = life;
    const container = parts.model.getContainer(id);
    return whileStaying(life, id, () => terminate(parts, waiters, container, wish));
  },
  signal: (life, id, wish) => signal(life, id, wish.signal),
  'kill-surely': (life, id) => whileStaying(life, id, () => killSurely(life, id)),
};
