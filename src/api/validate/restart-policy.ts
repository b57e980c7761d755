/** Restart policies, in moby's words (api/types/container ValidateRestartPolicy). */
import { invalid } from '../../errors.js';
import type { HostConfig } from '../../model/container.js';

/** Throws invalid `invalid restart policy: …`. */
export const validateRestartPolicy = (policy: HostConfig['RestartPolicy'], autoRemove: boolean): void => {
  const { Name: name, MaximumRetryCount: count } = policy;
  if (autoRemove && name !== '' && name !== 'no') {
    throw invalid("can't create 'AutoRemove' container with restart policy");
  }
  switch (name) {
    case '':
      return;
    case 'no':
    case 'always':
    case 'unless-stopped':
      if (count === 0) return;
      throw invalid(
        `invalid restart policy: maximum retry count can only be used with 'on-failure'${count < 0 ? ' and cannot be negative' : ''}`,
      );
    case 'on-failure':
      if (count >= 0) return;
      throw invalid('invalid restart policy: maximum retry count cannot be negative');
    default:
      throw invalid(
        `invalid restart policy: unknown policy '${name.slice(0, 100)}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'`,
      );
  }
};
