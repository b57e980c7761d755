/** A container's state in Docker's fields and in the words of `ps`. Pure. */
import { type ContainerState, type Health, isUp } from '../../model/container.js';
import { milliseconds } from '../read/time.js';
import type { Answer } from '../schema/answer.js';
import { humanDuration } from './duration.js';

export const presentState = (state: ContainerState): Answer<'ContainerState'> => ({
  Status: state.status,
  Running: isUp({ state }),
  Paused: state.status === 'paused',
  Restarting: state.status === 'restarting',
  OOMKilled: state.oomKilled,
  Dead: state.status === 'dead',
  Pid: state.pid,
  ExitCode: state.exitCode,
  Error: state.error,
  StartedAt: state.startedAt,
  FinishedAt: state.finishedAt,
  Health: state.health && presentHealth(state.health),
});

const presentHealth = ({ status, failingStreak, log }: Health): Answer<'Health'> => ({
  Status: status,
  FailingStreak: failingStreak,
  Log: log.map(({ start, end, exitCode, output }) => ({
    Start: start,
    End: end,
    ExitCode: exitCode,
    Output: output,
  })),
});

const HEALTH = { starting: 'health: starting', healthy: 'healthy', unhealthy: 'unhealthy' } as const;

/** `Up 3 minutes (healthy)`, `Exited (0) 2 hours ago`…; `now` in milliseconds since the epoch. */
export const presentStatus = (state: ContainerState, now: number): string => {
  const since = (time: string): string => humanDuration(now - milliseconds(time));
  switch (state.status) {
    case 'created':
      return 'Created';
    case 'running':
      return `Up ${since(state.startedAt)}${state.health === undefined ? '' : ` (${HEALTH[state.health.status]})`}`;
    case 'paused':
      return `Up ${since(state.startedAt)} (Paused)`;
    case 'restarting':
      return `Restarting (${state.exitCode}) ${since(state.finishedAt)} ago`;
    case 'removing':
      return 'Removal In Progress';
    case 'exited':
      return `Exited (${state.exitCode}) ${since(state.finishedAt)} ago`;
    case 'dead':
      return 'Dead';
  }
};
