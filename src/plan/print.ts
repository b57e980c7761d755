/** A plan as people read it: `ip`, `sysctl` and `nft` commands, one step a line. For dry runs, goldens and logs. */
import { kindOf, sliceKey } from './objects.js';
import type { Plan, Step } from './plan.js';

/** The command that a person would type. */
export const printStep = (step: Step): string =>
  kindOf(step.object).print(step.op, step.object, step.op === 'replace' ? step.before : undefined);

const withNotes = (step: Step): string => {
  const { object, slice } = step;
  const command = printStep(step);
  const notes = [kindOf(object).note?.(object), slice && sliceKey(slice)].filter(
    (note) => note !== undefined,
  );
  return notes.length > 0 ? `${command}  # ${notes.join('; ')}` : command;
};

/** One line a step, ending in a line end; empty for an empty plan. */
export const print = (plan: Plan): string => plan.map((step) => `${withNotes(step)}\n`).join('');
