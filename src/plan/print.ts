/** A plan as people read it: `ip`, `sysctl` and `nft` commands, one step a line. For dry runs, goldens and logs. */
import { kindOf, sliceKey } from './objects.js';
import type { Plan, Step } from './plan.js';

const printStep = (step: Step): string => {
  const { op, object, slice } = step;
  const kind = kindOf(object);
  const command = kind.print(op, object, op === 'replace' ? step.before : undefined);
  const notes = [kind.note?.(object), slice && sliceKey(slice)].filter((note) => note !== undefined);
  return notes.length > 0 ? `${command}  # ${notes.join('; ')}` : command;
};

/** One line a step, ending in a line end; empty for an empty plan. */
export const print = (plan: Plan): string => plan.map((step) => `${printStep(step)}\n`).join('');
