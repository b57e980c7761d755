/** Ending a container's process. What its end changes is the lifecycle's: here it is only waited for. */

import { internal } from '../../errors.js';
import type { Container } from '../../model/container.js';
import type { Outside, Writing } from '../parts.js';
import { settlesWithin } from '../within.js';
import { signalNumber } from './signals.js';
import { containerEvent } from './state.js';
import type { Waiters } from './waiters.js';

type Ending = Pick<Writing, 'log' | 'events'> & Pick<Outside, 'runtime'>;

const DEFAULT_STOP_SECONDS = 10;
/** For a container to be gone after SIGKILL. */
const KILL_SECONDS = 10;
export const SIGKILL = 9;

export const stopSignal = (container: Container): number =>
  signalNumber(container.config.StopSignal || 'SIGTERM');

/** A container that ended in the meantime is as good as signalled. */
const send = async ({ runtime, log }: Ending, container: Container, signal: number): Promise<void> => {
  try {
    await runtime.kill(container.id, signal);
  } catch (error) {
    log.debug({ container: container.name, signal, error: String(error) }, 'signal not delivered');
  }
};

const sendAndTell = async (parts: Ending, container: Container, signal: number): Promise<void> => {
  containerEvent(parts, container, 'kill', { signal: String(signal) });
  await send(parts, container, signal);
};

export interface StopOptions {
  /** until SIGKILL; negative: never */
  readonly seconds?: number | undefined;
  /** name or number; the container's own where there is none */
  readonly signal?: string | undefined;
}

/** The stop signal, then SIGKILL when the time is over. Resolves when its end is recorded. */
export const terminate = async (
  parts: Ending,
  waiters: Waiters,
  container: Container,
  { seconds, signal }: StopOptions,
): Promise<void> => {
  const limit = seconds ?? container.config.StopTimeout ?? DEFAULT_STOP_SECONDS;
  const ended = waiters.wait(container.id, 'next-exit');
  await sendAndTell(parts, container, signal ? signalNumber(signal) : stopSignal(container));
  if (limit < 0) return void (await ended);
  if (await settlesWithin(ended, limit * 1000)) return;
  await sendAndTell(parts, container, SIGKILL);
  await endsWithin(container, ended);
};

/** Throws internal where a container does not end although it was killed. */
export const endsWithin = async ({ name }: Container, ended: Promise<unknown>): Promise<void> => {
  if (!(await settlesWithin(ended, KILL_SECONDS * 1000)))
    throw internal(`could not kill container ${name}: it did not end within ${KILL_SECONDS} s of SIGKILL`);
};

/** SIGKILL at once. False where its end was not heard of in time. */
export const killAtOnce = async (parts: Ending, waiters: Waiters, container: Container): Promise<boolean> => {
  const ended = waiters.wait(container.id, 'next-exit');
  await send(parts, container, SIGKILL);
  return settlesWithin(ended, KILL_SECONDS * 1000);
};
