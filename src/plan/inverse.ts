/** The plan that takes a plan back. For any n, the inverse of its first n steps undoes exactly those. */
import { build } from './diff.js';
import type { KernelObject, Slice } from './objects.js';
import type { Plan, Step } from './plan.js';

/** Undoes one step. A delete that took other objects along makes them again, in the order of kernel work. */
export const inverseStep = (step: Step): Plan => {
  const { object, slice } = step;
  const whose = slice ? { slice } : {};
  switch (step.op) {
    case 'create':
      return [{ ...whose, op: 'delete', object }];
    case 'replace':
      return [{ ...whose, op: 'replace', object: step.before, before: object }];
    case 'delete':
      return madeAgain([step]);
  }
};

type Delete = Extract<Step, { op: 'delete' }>;

/** All that went, in the order of kernel work: a flow names its port, that needs its link, and the link comes up last. */
const madeAgain = (deletes: readonly Delete[]): Plan => {
  const owners = new Map<KernelObject, Slice | undefined>();
  for (const { object, takes = [], slice } of deletes)
    for (const o of [object, ...takes]) owners.set(o, slice);
  return build([...owners.keys()], (o) => owners.get(o));
};

/** Deletes that follow on each other are undone together, all else step by step. */
export const inverse = (plan: Plan): Plan => {
  const back: Step[] = [];
  let deletes: Delete[] = [];
  for (const step of [...plan].reverse())
    if (step.op === 'delete') deletes.push(step);
    else {
      back.push(...madeAgain(deletes), ...inverseStep(step));
      deletes = [];
    }
  return [...back, ...madeAgain(deletes)];
};
