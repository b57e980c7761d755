/** The plan that takes a plan back. For any n, the inverse of its first n steps undoes exactly those. */
import { build } from './diff.js';
import type { Plan, Step } from './plan.js';

/** Undoes one step. A delete that took other objects along makes them again, in the order of kernel work. */
export const inverseStep = (step: Step): Plan => {
  switch (step.op) {
    case 'create':
      return [{ op: 'delete', object: step.object }];
    case 'replace':
      return [{ op: 'replace', object: step.before, before: step.object }];
    case 'delete':
      return step.takes ? build([step.object, ...step.takes]) : [{ op: 'create', object: step.object }];
  }
};

export const inverse = (plan: Plan): Plan => [...plan].reverse().flatMap(inverseStep);
