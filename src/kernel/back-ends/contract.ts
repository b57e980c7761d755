/**
 * A back end of the kernel layer: it carries out the steps of its kinds, looks at them and hears what others do to them.
 * Which kinds it has is said in `plan/objects.ts`. Creating what is there in the same state and deleting what is gone are
 * successes.
 */
import type { BackEndName, KernelObject, KindOf, Netns, ObjectOf } from '../../plan/objects.js';
import type { Plan, Step } from '../../plan/plan.js';
import type { Drift } from '../contract.js';
import type { Session } from '../session.js';

/** What a plan as a whole tells of its steps, and what they leave for each other. */
export interface Context {
  readonly session: Session;
  /** namespaces that the plan drops: their links die with them */
  readonly dropped: ReadonlySet<string>;
  /** `<namespace> <name>` of every link that the plan made, both ends of a veth */
  readonly made: Set<string>;
  /** bare addresses that the plan gives the interface */
  readonly given: (ns: Netns, name: string) => readonly string[];
  /** values that sysctls had before the plan wrote them, by object key; for its inverse */
  readonly formerValues: Map<string, string>;
}

export interface BackEnd<O extends KernelObject> {
  /** Do neighbouring steps of a plan go in one run? Absent: each step is a run of its own. */
  together?(before: Step<O>, next: Step<O>): boolean;
  /** Carries a run out, in order. `done` is told of every step that took effect, also where a refusal is thrown. */
  run(steps: readonly Step<O>[], context: Context, done: (step: Step<O>) => void): void;
  /**
   * `said`, what the back ends before it found, and what it finds itself with our mark. `settings`: what has no mark but
   * is told along the way, too.
   */
  observe(said: readonly KernelObject[], settings: boolean): readonly KernelObject[];
  /** Is it there, in exactly this state? Cheap. */
  present(o: O): boolean;
  /** Does it answer now? Absent: it always does. */
  reachable?(): boolean;
  /** Listens from now on for what others change. */
  watch?(onDrift: (drift: readonly Drift[]) => void): void;
  /** Told of what there was when it began to listen, and then of every plan that was carried out: the measure of drift. */
  follow?(plan: Plan): void;
  close?(): void | Promise<void>;
}

/** In the order in which they are asked what there is. A name without a back end does not compile. */
export type BackEnds = { readonly [B in BackEndName]: BackEnd<ObjectOf<KindOf<B>>> };
