/** What holds where a service says nothing: swarmkit's numbers (api/defaults/service.go). Milliseconds, unlike the specs. */
import type { RestartPolicy, Service, TaskSpec, UpdateConfig } from '../../model/swarm/service.js';

const MS = 1_000_000; // nanoseconds

/** Nanoseconds, as in specs. */
export const DEFAULTS = {
  restartDelay: 5_000 * MS,
  monitor: 5_000 * MS,
  stopGracePeriod: 10_000 * MS,
} as const;

export const DEFAULT_RESTART: RestartPolicy = {
  condition: 'any',
  delay: DEFAULTS.restartDelay,
  maxAttempts: 0,
};

export const DEFAULT_UPDATE: UpdateConfig = {
  parallelism: 1,
  delay: 0,
  failureAction: 'pause',
  monitor: DEFAULTS.monitor,
  maxFailureRatio: 0,
  order: 'stop-first',
};

export interface Restarting {
  readonly condition: RestartPolicy['condition'];
  readonly delay: number;
  /** 0: no limit */
  readonly maxAttempts: number;
  /** 0: all that was ever */
  readonly window: number;
}

export const restarting = ({ restart = DEFAULT_RESTART }: TaskSpec): Restarting => ({
  condition: restart.condition,
  delay: (restart.delay ?? DEFAULTS.restartDelay) / MS,
  maxAttempts: restart.maxAttempts,
  window: (restart.window ?? 0) / MS,
});

export interface Updating {
  /** slots at a time */
  readonly parallelism: number;
  readonly delay: number;
  readonly failureAction: UpdateConfig['failureAction'];
  readonly monitor: number;
  readonly maxFailureRatio: number;
  readonly startFirst: boolean;
}

/** How the service's tasks are replaced now: back or forth. */
export const updating = ({ spec, update }: Service): Updating => {
  const back = update?.state === 'rollback_started';
  const config = (back ? spec.rollback : spec.update) ?? DEFAULT_UPDATE;
  return {
    parallelism: config.parallelism === 0 ? Number.POSITIVE_INFINITY : config.parallelism,
    delay: config.delay / MS,
    failureAction: config.failureAction,
    monitor: (config.monitor ?? DEFAULTS.monitor) / MS,
    maxFailureRatio: config.maxFailureRatio,
    startFirst: config.order === 'start-first',
  };
};
