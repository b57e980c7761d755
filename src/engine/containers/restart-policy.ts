/** Restart policies, pure: does a container that ended come back, and after how long? */
import { KernelError, PortError, ViaductError } from '../../errors.js';
import { type Container, NEVER } from '../../model/container.js';

/** Doubles with every quick failure, from 100 ms to a minute; a run of over 10 s starts anew (moby's figures). */
const FIRST_MS = 100;
const LONGEST_MS = 60_000;
const LONG_RUN_MS = 10_000;

export const restartDelay = (previousMs: number, ranMs: number): number =>
  previousMs === 0 || ranMs > LONG_RUN_MS ? FIRST_MS : Math.min(previousMs * 2, LONGEST_MS);

type Policy = Pick<Container, 'hostConfig' | 'restartCount' | 'stoppedByUser'>;

/** After its process ended while the daemon watched. */
export const restartsAfterExit = (container: Policy, exitCode: number): boolean => {
  const { Name, MaximumRetryCount } = container.hostConfig.RestartPolicy;
  if (container.stoppedByUser) return false;
  if (Name === 'always' || Name === 'unless-stopped') return true;
  if (Name !== 'on-failure' || exitCode === 0) return false;
  return MaximumRetryCount === 0 || container.restartCount < MaximumRetryCount;
};

/**
 * When the daemon starts and finds it not running, as Docker does: each time anew, whatever became of the last start, but
 * for what never ran.
 */
export const restartsWithDaemon = (
  container: Policy & { readonly state: Pick<Container['state'], 'startedAt'> },
  exitCode: number,
): boolean => {
  const { Name } = container.hostConfig.RestartPolicy;
  if (container.state.startedAt === NEVER) return false;
  return Name === 'always' || restartsAfterExit(container, exitCode);
};

/** Did a start fail for what may be there later? What is wrong with the image or the request never passes. */
export const mayPass = (error: unknown): boolean =>
  error instanceof PortError ||
  error instanceof KernelError ||
  (error instanceof ViaductError && ['unavailable', 'forbidden', 'conflict'].includes(error.kind));
