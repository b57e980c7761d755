/** A plan as people read it: `ip`, `sysctl` and `nft` commands, one step a line. For dry runs, goldens and logs. */
import { kindOf } from './objects.js';
import type { Plan, Step } from './plan.js';

const printStep = (step: Step): string =>
  kindOf(step.object).print(step.op, step.object, step.op === 'replace' ? step.before : undefined);

/** One line a step, ending in a line end; empty for an empty plan. */
export const print = (plan: Plan): string => plan.map((step) => `${printStep(step)}\n`).join('');
