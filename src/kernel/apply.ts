/**
 * Carries plans out, in their order. Neighbouring address, route, neighbour and FDB steps of a namespace go in one
 * datagram, neighbouring element steps in one atomic batch (a plan has at most four such runs: guards come before the
 * links they guard, or before those are up, and go after or with them). Invariant: a refused plan leaves what was there
 * before, or says what it could not take back.
 */
import { EADDRNOTAVAIL, EEXIST, ENODEV, ENOENT, ESRCH } from '../errno.js';
import { KernelError, ViaductError } from '../errors.js';
import { failpoint } from '../failpoints.js';
import { inverseStep } from '../plan/inverse.js';
import { type KernelObject, objectKey } from '../plan/objects.js';
import type { Plan, Step } from '../plan/plan.js';
import type { Calls, Context, Executors, MessageExecutor, RunExecutor } from './executors.js';
import { inNamespace } from './netns.js';
import type { ElementChange, Nftables } from './nftables.contract.js';
import type { OpenVswitch } from './ovs/index.js';
import type { Reaper } from './reaper.js';
import { Session } from './session.js';

/** How the kernel says that what shall be deleted is not there: FDB, routes, links, addresses. */
const GONE: ReadonlySet<number> = new Set([ENOENT, ESRCH, ENODEV, EADDRNOTAVAIL]);

export interface ApplyParts {
  readonly executors: Executors;
  readonly nftables: Nftables;
  readonly reaper: Reaper;
  readonly ovs: OpenVswitch;
}

/** Thrown beside the refusal (as its `cause`) where inverses were refused too: the slices concerned are dirty. */
class UndoError extends AggregateError {
  override readonly name = 'UndoError';
}

/** True where the kernel is in neither the old state nor the new one after `error`. */
export const leftDirty = (error: unknown): boolean =>
  error instanceof Error && error.cause instanceof UndoError;

interface Run {
  readonly by: 'batch' | 'message' | 'visit' | 'call' | 'run';
  readonly ns: string;
  readonly steps: Step[];
}

/** Splits a plan into runs of steps that go to the kernel together. */
const runsOf = (plan: Plan, executors: Executors): readonly Run[] => {
  const runs: Run[] = [];
  for (const step of plan) {
    const { by } = executors[step.object.kind];
    const ns = 'ns' in step.object ? step.object.ns : '';
    const last = runs.at(-1);
    const joins = by !== 'run' || last?.steps[0]?.object.kind === step.object.kind;
    if (last && by !== 'call' && last.by === by && last.ns === ns && joins) last.steps.push(step);
    else runs.push({ by, ns, steps: [step] });
  }
  return runs;
};

const describe = (step: Step): string => {
  const [kind, ...rest] = objectKey(step.object).split(' ');
  return `${kind} ${step.op} ${rest.join(' ')}`;
};

/** Executors by kind; the table pairs each kind with the executor of exactly that kind. */
const messageExecutor = (executors: Executors, o: KernelObject): MessageExecutor<KernelObject> =>
  executors[o.kind] as MessageExecutor<KernelObject>;
const callExecutor = (executors: Executors, o: KernelObject): Calls<KernelObject> =>
  executors[o.kind] as Calls<KernelObject>;

const runExecutor = (executors: Executors, o: KernelObject): RunExecutor => executors[o.kind] as RunExecutor;

export class Applier {
  constructor(private readonly parts: ApplyParts) {}

  apply(plan: Plan): void {
    const context = this.#context(plan);
    const applied: Step[] = [];
    try {
      for (const run of runsOf(plan, this.parts.executors)) {
        this.#run(run, context, applied);
        failpoint('kernel-step');
      }
    } catch (error) {
      throw withUndoErrors(error, this.#undo(applied, context));
    } finally {
      context.session.close();
    }
  }

  /** Takes back what was applied, last first; goes on behind a refusal. Answers the refusals. */
  #undo(applied: readonly Step[], context: Context): readonly unknown[] {
    const refusals: unknown[] = [];
    const inverse = [...applied].reverse().flatMap(inverseStep);
    for (const run of runsOf(inverse, this.parts.executors)) {
      try {
        this.#run(run, context, []);
      } catch (error) {
        refusals.push(error);
      }
    }
    return refusals;
  }

  /** Adds to `applied` what took effect, also where it throws. */
  #run(run: Run, context: Context, applied: Step[]): void {
    if (run.by === 'batch') this.#batch(run.steps, applied);
    else if (run.by === 'message') this.#messages(run, context, applied);
    else if (run.by === 'run') this.#together(run.steps, applied);
    // To delete is to leave as it is, or to go back to what is known: no reason to go where there may be nothing more.
    else if (run.by === 'visit' && run.steps.some((step) => step.op !== 'delete'))
      inNamespace(run.ns, () => this.#calls(run.steps, context, applied));
    else this.#calls(run.steps, context, applied);
  }

  #calls(steps: readonly Step[], context: Context, applied: Step[]): void {
    for (const step of steps) {
      this.#call(step, context);
      applied.push(step);
      if (step.op === 'delete') this.#takeGuards(step.takes ?? []);
    }
  }

  #batch(steps: readonly Step[], applied: Step[]): void {
    this.parts.nftables.apply(steps.flatMap(elementChanges));
    applied.push(...steps);
  }

  #together(steps: readonly Step[], applied: Step[]): void {
    const [first] = steps;
    if (first) runExecutor(this.parts.executors, first.object).run(steps);
    applied.push(...steps);
  }

  #call(step: Step, context: Context): void {
    const executor = callExecutor(this.parts.executors, step.object);
    if (step.op === 'create') executor.create(step.object, context);
    else if (step.op === 'delete') executor.delete(step.object, context);
    else executor.replace(step.object, step.before, context);
  }

  /** Elements outlive their port, and so does its chain: for good, or until the reaper is through. */
  #takeGuards(taken: readonly KernelObject[]): void {
    const guards = taken.flatMap((object) => elementChanges({ op: 'delete', object }));
    if (guards.length === 0) return;
    failpoint('kernel-step');
    this.parts.nftables.apply(guards);
  }

  #messages({ ns, steps }: Run, { session }: Context, applied: Step[]): void {
    if (!reachable(session, ns, steps)) return;
    const sent = steps.flatMap((step) => this.#message(session, step));
    const outcomes = session.socket(ns).attempt(
      sent.map((s) => s.message),
      (i) => (sent[i] ? describe(sent[i].step) : ns),
    );
    let refusal: Error | undefined;
    sent.forEach(({ step }, i) => {
      const { errno, acknowledgement } = outcomes[i] ?? { errno: 0, acknowledgement: '' };
      if (errno === 0) applied.push(step);
      else if (!this.#fine(session, step, errno))
        refusal ??= this.#explain(step, errno) ?? new KernelError(errno, describe(step), acknowledgement);
    });
    if (refusal) throw refusal;
  }

  #explain(step: Step, errno: number): Error | undefined {
    if (step.op !== 'create') return undefined;
    return messageExecutor(this.parts.executors, step.object).explain?.(step.object, errno);
  }

  /** A step's message; none for a delete on a link that is gone. */
  #message(session: Session, step: Step): readonly { step: Step; message: Buffer }[] {
    const executor = messageExecutor(this.parts.executors, step.object);
    const { ns, name } = linkOf(step.object);
    const index = session.index(ns, name);
    if (index === 0 && step.op === 'delete') return [];
    if (index === 0) throw new KernelError(ENODEV, describe(step), `no link ${name}`);
    return [{ step, message: executor[step.op](step.object, index) }];
  }

  #fine(session: Session, step: Step, errno: number): boolean {
    if (step.op === 'delete') return GONE.has(errno);
    const executor = messageExecutor(this.parts.executors, step.object);
    if (executor.excused?.(session, step.object, errno)) return true;
    return errno === EEXIST && executor.present(session, step.object);
  }

  #context(plan: Plan): Context {
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
      reaper: this.parts.reaper,
      ovs: this.parts.ovs,
      dropped,
      made: new Set(),
      given: (ns, name) => given.get(`${ns} ${name}`) ?? [],
      formerValues: new Map(),
    };
  }
}

/** False where the namespace is gone and everything in it was to go. */
const reachable = (session: Session, ns: string, steps: readonly Step[]): boolean => {
  try {
    session.socket(ns);
    return true;
  } catch (error) {
    if (error instanceof KernelError && error.errno === ENOENT && steps.every((s) => s.op === 'delete'))
      return false;
    throw error;
  }
};

const linkOf = (o: KernelObject): { ns: string; name: string } => {
  if (o.kind === 'address' || o.kind === 'route' || o.kind === 'neighbour' || o.kind === 'fdb')
    return { ns: o.ns, name: o.link };
  throw new TypeError(`a ${o.kind} is on no link`);
};

const elementChanges = (step: Step): readonly ElementChange[] => {
  if (step.object.kind !== 'element') return [];
  if (step.op === 'create') return [{ op: 'add', element: step.object }];
  if (step.op === 'delete') return [{ op: 'delete', element: step.object }];
  if (step.before.kind !== 'element') return [];
  return [
    { op: 'delete', element: step.before },
    { op: 'add', element: step.object },
  ];
};

/** The refusal itself, with its class and message; refused inverses become its cause, beside the first one. */
const withUndoErrors = (error: unknown, refusals: readonly unknown[]): unknown => {
  if (refusals.length === 0 || !(error instanceof Error)) return error;
  const cause = new UndoError(
    [error.cause, ...refusals].filter((e) => e !== undefined),
    'could not take everything back',
  );
  if (error instanceof KernelError)
    return new KernelError(error.errno, error.operation, error.acknowledgement, { cause });
  if (error instanceof ViaductError) return new ViaductError(error.kind, error.message, { cause });
  return new Error(error.message, { cause });
};
