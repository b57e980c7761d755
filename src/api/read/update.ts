/** The body of `POST /containers/{id}/update`: what is zero is left as it is. */
import type { HostConfig } from '../../model/container.js';
import { validateResources } from '../validate/resources.js';
import { validateRestartPolicy } from '../validate/restart-policy.js';
import { updateSchema } from './container.js';
import { decode } from './decode.js';

/** Throws invalid. Answers only the fields that are to change. */
export const readUpdate = (body: unknown, minor: number): Partial<HostConfig> => {
  const { RestartPolicy, PidsLimit, ...limits } = decode(updateSchema, body);
  validateResources(limits, true);
  validateRestartPolicy(RestartPolicy, false);
  const changed = Object.entries(limits).filter(([, value]) => value !== 0 && value !== '' && value !== null);
  return {
    ...Object.fromEntries(changed),
    ...(RestartPolicy.Name === '' ? {} : { RestartPolicy }),
    // 0 and -1 both mean "no limit"; before 1.40 the field meant nothing.
    ...(PidsLimit === null || minor < 40 ? {} : { PidsLimit: Math.max(PidsLimit, 0) }),
  };
};
