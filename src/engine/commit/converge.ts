/**
 * From what is in the kernel to what the records want. One thing that cannot be (a parent interface that is gone) must
 * not keep the rest from being: where the whole is refused, it is tried slice by slice, and what is refused is told.
 */
import type { Kernel } from '../../kernel/contract.js';
import { createPace } from '../../pace.js';
import { isUnmarked } from '../../plan/depend.js';
import { diff, isAsWanted, unsettled } from '../../plan/diff.js';
import { HOST_SLICE, type KernelObject, objectKey, type Slice, sliceKey } from '../../plan/objects.js';
import type { Plan } from '../../plan/plan.js';
import { allSlices, type Derive, lacksLink } from './derive.js';
import type { ReadModel } from './model.js';

export interface Converging {
  readonly kernel: Kernel;
  readonly model: ReadModel;
  readonly derive: Derive;
}

export interface Refusal {
  readonly slice: Slice;
  /** to whoever reads the log */
  readonly error: string;
}

export interface Outcome {
  /** steps taken */
  readonly steps: number;
  /** why slices are not as they should be */
  readonly refusals: readonly Refusal[];
}

/** What a slice wants, or a part of that. */
interface Piece {
  readonly slice: Slice;
  readonly objects: readonly KernelObject[];
}

/** Beside what is there. */
interface Compared extends Piece {
  /** those that are not as they should be */
  readonly changed: readonly KernelObject[];
}

const PLUGIN_LINK = 'the link that a plugin made is gone: restart the container';

/** What is observed, by key. */
type There = ReadonlyMap<string, KernelObject>;

const byKey = (observed: readonly KernelObject[]): There => new Map(observed.map((o) => [objectKey(o), o]));
const objectsOf = (pieces: readonly Piece[]): readonly KernelObject[] =>
  pieces.flatMap(({ objects }) => objects);

/** What of `wanted` is there, in whichever state; what may be there without our mark is looked at one by one. */
const stateOf = (kernel: Kernel, there: There, wanted: readonly KernelObject[]): readonly KernelObject[] =>
  wanted.flatMap((o) => there.get(objectKey(o)) ?? (isUnmarked(o) && kernel.present(o) ? o : []));

/**
 * What does not have to wait for a service beside the kernel (Open vSwitch) that does not answer now. A network or endpoint
 * waits as a whole, for its parts build on each other; of the host's slice only what must.
 */
const reachable = (kernel: Kernel, piece: Compared): Compared => {
  const { slice, objects, changed } = piece;
  const may = objects.filter((o) => kernel.reachable(o));
  if (may.length === objects.length) return piece;
  if (slice.kind !== 'host') return { slice, objects: [], changed: [] };
  return { slice, objects: may, changed: changed.filter((o) => kernel.reachable(o)) };
};

/** The host's slice has objects of many networks, so each of them is tried for itself. */
const split = (pieces: readonly Piece[]): readonly Piece[] =>
  pieces.flatMap((piece): readonly Piece[] =>
    piece.slice.kind === 'host' ? piece.objects.map((o) => ({ slice: HOST_SLICE, objects: [o] })) : [piece],
  );

const carryOut = (kernel: Kernel, plan: Plan): number => {
  if (plan.length > 0) kernel.apply(plan);
  return plan.length;
};

const apply = (kernel: Kernel, before: readonly KernelObject[], after: readonly KernelObject[]): number =>
  carryOut(kernel, diff(before, after));

/** `slices`: to which a refusal is put down. */
const attempt = (slices: readonly Slice[], work: () => number, because = ''): Outcome => {
  try {
    return { steps: work(), refusals: [] };
  } catch (error) {
    return { steps: 0, refusals: slices.map((slice) => ({ slice, error: because + String(error) })) };
  }
};

const sum = (outcomes: readonly Outcome[]): Outcome => ({
  steps: outcomes.reduce((steps, outcome) => steps + outcome.steps, 0),
  refusals: outcomes.flatMap(({ refusals }) => refusals),
});

const removeEach = (kernel: Kernel, strays: readonly KernelObject[], blamed: readonly Slice[]): Outcome =>
  sum(diff(strays, []).map((step) => attempt(blamed, () => carryOut(kernel, [step]))));

const bringEach = (kernel: Kernel, pieces: readonly Piece[]): Outcome => {
  const there = byKey(kernel.observe());
  return sum(
    split(pieces).map(({ slice, objects }) =>
      attempt([slice], () => apply(kernel, stateOf(kernel, there, objects), objects)),
    ),
  );
};

/** What the records want of the slices, beside what is observed. */
interface Comparison {
  /** what can be brought about */
  readonly whole: readonly Compared[];
  /** what hangs on a link that only a plugin can make again */
  readonly lacking: readonly Piece[];
  readonly strays: readonly KernelObject[];
  /** slices without a record: they have nothing but strays */
  readonly gone: readonly Slice[];
}

const compare = (
  { kernel, model, derive }: Converging,
  slices: readonly Slice[],
  there: There,
  isStray: (o: KernelObject) => boolean,
): Comparison => {
  const concerned = new Set(slices.map(sliceKey));
  const wanted = new Set<KernelObject>();
  const [whole, lacking]: [Compared[], Piece[]] = [[], []];
  for (const slice of allSlices(model)) {
    const objects = derive(model, slice);
    const changed: KernelObject[] = [];
    // One look for each: keys are texts, and with thousands of networks to make and find them is most of this.
    for (const o of objects) {
      const old = there.get(objectKey(o));
      if (old) wanted.add(old);
      if (!isAsWanted(old, o)) changed.push(o);
    }
    if (!concerned.delete(sliceKey(slice))) continue;
    if (lacksLink(objects, there)) lacking.push({ slice, objects });
    else whole.push(reachable(kernel, { slice, objects, changed }));
  }
  return {
    whole,
    lacking,
    strays: [...there.values()].filter((o) => !wanted.has(o) && isStray(o)),
    gone: slices.filter((slice) => concerned.has(sliceKey(slice))),
  };
};

const isAmiss = (kernel: Kernel, there: There, objects: readonly KernelObject[]): boolean =>
  diff(stateOf(kernel, there, objects), objects).length > 0;

/** Of many slices those that are not as they should be, looked at some in each turn of the loop: to be brought, or told of. */
export const amiss = async (
  { kernel, model, derive }: Converging,
  slices: readonly Slice[],
): Promise<readonly Slice[]> => {
  const there = byKey(kernel.observe());
  const found: Slice[] = [];
  const pace = createPace();
  for (const slice of slices) {
    if (isAmiss(kernel, there, derive(model, slice))) found.push(slice);
    if (pace.due()) await pace.rest();
  }
  return found;
};

/** The steps that `converge` of the slices would take, where none is refused. */
export const outstanding = (
  parts: Converging,
  slices: readonly Slice[],
  observed: readonly KernelObject[],
  isStray: (o: KernelObject) => boolean,
): Plan => {
  const there = byKey(observed);
  const { whole, lacking, strays } = compare(parts, slices, there, isStray);
  const pieces = [...whole, ...lacking];
  const owners = new Map(pieces.flatMap(({ slice, objects }) => objects.map((o) => [o, slice] as const)));
  const wanted = objectsOf(pieces);
  const before = [...stateOf(parts.kernel, there, wanted), ...strays];
  return diff(before, wanted, (o) => owners.get(o));
};

/**
 * Brings the slices to what the records want. What is `observed` beside them stays, but for what no record wants and
 * `isStray`: that goes, in the same plan. What lives in a service that does not answer stays as it is, with all else of its
 * slice, until the service is back. What hangs on a link that only a plugin can make again is apart: nobody else suffers for it.
 */
export const converge = (
  parts: Converging,
  slices: readonly Slice[],
  observed: readonly KernelObject[],
  isStray: (o: KernelObject) => boolean,
): Outcome => {
  const { kernel } = parts;
  const there = byKey(observed);
  const { whole, lacking, strays, gone } = compare(parts, slices, there, isStray);
  const brought = attempt([HOST_SLICE], () => {
    const changed = whole.flatMap((piece) => piece.changed);
    const objects = unsettled(there, strays, changed, objectsOf(whole));
    return apply(kernel, [...stateOf(kernel, there, objects), ...strays], objects);
  });
  return sum([
    ...(brought.refusals.length === 0
      ? [brought]
      : [removeEach(kernel, strays, gone.length > 0 ? gone : [HOST_SLICE]), bringEach(kernel, whole)]),
    ...lacking.map(({ slice, objects }) =>
      attempt([slice], () => apply(kernel, stateOf(kernel, there, objects), objects), `${PLUGIN_LINK}: `),
    ),
  ]);
};
