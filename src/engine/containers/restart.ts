/** Restart policies, pure: does a container that ended come back, and after how long? */
import type { Container } from '../../model/container.js';

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

/** When the daemon starts and finds it not running. `wasRunning`: it ran when the daemon last knew of it. */
export const restartsWithDaemon = (container: Policy, wasRunning: boolean, exitCode: number): boolean => {
  const { Name } = container.hostConfig.RestartPolicy;
  if (Name === 'always') return wasRunning || container.stoppedByUser;
  if (Name === 'unless-stopped') return wasRunning && !container.stoppedByUser;
  return wasRunning && restartsAfterExit(container, exitCode);
};
