/** The plan that takes a plan back. For any n, the inverse of its first n steps undoes exactly those. */
import { build } from './diff.js';
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
      return step.takes ? build([object, ...step.takes], () => slice) : [{ ...whose, op: 'create', object }];
  }
};

export const inverse = (plan: Plan): Plan => [...plan].reverse().flatMap(inverseStep);
