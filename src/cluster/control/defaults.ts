/** Policies as they hold, with what a service says nothing of. Milliseconds, unlike the specs. */
import {
  DEFAULT_MONITOR,
  DEFAULT_RESTART,
  DEFAULT_UPDATE,
  type RestartPolicy,
  type Service,
  type TaskSpec,
  type UpdateConfig,
} from '../../model/swarm/service.js';

const MS = 1_000_000; // nanoseconds

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
  delay: (restart.delay ?? DEFAULT_RESTART.delay) / MS,
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
    monitor: (config.monitor ?? DEFAULT_MONITOR) / MS,
    maxFailureRatio: config.maxFailureRatio,
    startFirst: config.order === 'start-first',
  };
};
