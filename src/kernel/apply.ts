/**
 * Carries plans out, in their order: each step by the back end of its kind, and neighbouring ones that go together as one
 * run (a plan has at most four runs of elements: guards come before the links they guard, or before those are up, and go
 * after or with them). Invariant: a refused plan leaves what was there before, or says what it could not take back.
 */
import { withUndoErrors } from '../errors.js';
import { failpoint } from '../failpoints.js';
import { inverse } from '../plan/inverse.js';
import type { KernelObject } from '../plan/objects.js';
import type { Plan, Step } from '../plan/plan.js';
import type { BackEnd, Context } from './back-ends/contract.js';
import { Session } from './session.js';

interface Run {
  readonly by: BackEnd<KernelObject>;
  readonly steps: Step[];
}

const contextOf = (plan: Plan): Context => {
  const dropped = new Set<string>();
  const given = new Map<string, string[]>();
  for (const { op, object } of plan) {
    if (op === 'delete' && object.kind === 'netns') dropped.add(object.path);
    if (op !== 'create' || object.kind !== 'address') continue;
    const key = `${object.ns} ${object.link}`;
    const [bare = ''] = object.address.split('/', 1);
    given.set(key, [...(given.get(key) ?? []), bare]);
  }
  return {
    session: new Session(),
    dropped,
    made: new Set(),
    given: (ns, name) => given.get(`${ns} ${name}`) ?? [],
    formerValues: new Map(),
  };
};

export class Applier {
  constructor(private readonly backEndOf: (o: KernelObject) => BackEnd<KernelObject>) {}

  apply(plan: Plan): void {
    const context = contextOf(plan);
    const applied: Step[] = [];
    try {
      for (const run of this.#runsOf(plan)) {
        this.#run(run, context, applied);
        failpoint('kernel-step');
      }
    } catch (error) {
      throw withUndoErrors(error, this.#undo(applied, context));
    } finally {
      context.session.close();
    }
  }

  #runsOf(plan: Plan): readonly Run[] {
    const runs: Run[] = [];
    for (const step of plan) {
      const by = this.backEndOf(step.object);
      const last = runs.at(-1);
      const before = last?.by === by ? last.steps.at(-1) : undefined;
      if (last && before && by.together?.(before, step)) last.steps.push(step);
      else runs.push({ by, steps: [step] });
    }
    return runs;
  }

  /** Takes back what was applied, last first; goes on behind a refusal. Answers the refusals. */
  #undo(applied: readonly Step[], context: Context): readonly unknown[] {
    const refusals: unknown[] = [];
    for (const run of this.#runsOf(inverse(applied))) {
      try {
        this.#run(run, context, []);
      } catch (error) {
        refusals.push(error);
      }
    }
    return refusals;
  }

  /** Adds to `applied` what took effect, also where it throws. */
  #run({ by, steps }: Run, context: Context, applied: Step[]): void {
    by.run(steps, context, (step) => applied.push(step));
    for (const step of steps) if (step.op === 'delete' && step.takes) this.#takeRest(by, step.takes, context);
  }

  /** What another back end keeps for it outlives it there: the chain of a port outlives the port. */
  #takeRest(by: BackEnd<KernelObject>, taken: readonly KernelObject[], context: Context): void {
    const rest = taken.filter((o) => this.backEndOf(o) !== by);
    if (rest.length === 0) return;
    failpoint('kernel-step');
    const deletes = rest.map((object): Step => ({ op: 'delete', object }));
    for (const run of this.#runsOf(deletes)) run.by.run(run.steps, context, () => {});
  }
}
