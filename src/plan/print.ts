/** A plan as people read it: `ip`, `sysctl` and `nft` commands, one step a line. For dry runs, goldens and logs. */
import { kindOf, sliceKey } from './objects.js';
import type { Plan, Step } from './plan.js';

const printStep = (step: Step): string => {
  const { op, object, slice } = step;
  const command = kindOf(object).print(op, object, op === 'replace' ? step.before : undefined);
  return slice ? `${command}  # ${sliceKey(slice)}` : command;
};

/** One line a step, ending in a line end; empty for an empty plan. */
export const print = (plan: Plan): string => plan.map((step) => `${printStep(step)}\n`).join('');
