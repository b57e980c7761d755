/**
 * From what is in the kernel to what the records want. One thing that cannot be (a parent interface that is gone) must
 * not keep the rest from being: where the whole is refused, it is tried slice by slice, and what is refused is told.
 */
import type { Kernel } from '../../kernel/contract.js';
import { inOvs } from '../../plan/depend.js';
import { diff } from '../../plan/diff.js';
import { HOST_SLICE, type KernelObject, objectKey, type Slice } from '../../plan/objects.js';
import { inOrder, lacksLink } from './derive.js';
import type { Derive } from './ledger.js';
import type { ReadModel } from './model.js';
import { type Piece, reachable } from './reachable.js';

export interface Converging {
  readonly kernel: Kernel;
  readonly model: ReadModel;
  readonly derive: Derive;
}

interface Refusal {
  readonly slice: Slice;
  readonly error: unknown;
  /** what to tell whoever reads the log */
  readonly message: string;
}

export interface Outcome {
  /** steps taken */
  readonly steps: number;
  /** why slices are not as they should be */
  readonly refusals: readonly Refusal[];
}

const NOT_BROUGHT = 'not as the records want it';
const PLUGIN_LINK = 'the link that a plugin made is gone: restart the container';

const keysOf = (objects: readonly KernelObject[]): ReadonlySet<string> => new Set(objects.map(objectKey));
const objectsOf = (pieces: readonly Piece[]): readonly KernelObject[] =>
  pieces.flatMap(({ objects }) => objects);

/** What carries no mark of ours, and another's interface in the place of ours, is never among what is observed. */
const UNMARKED: ReadonlySet<KernelObject['kind']> = new Set(['sysctl', 'offload', 'foreign', 'link']);

/** What of `wanted` is there, in whichever state; what carries no mark is looked at one by one. */
const stateOf = (
  kernel: Kernel,
  observed: readonly KernelObject[],
  wanted: readonly KernelObject[],
): readonly KernelObject[] => {
  const keys = keysOf(wanted);
  const ours = observed.filter((o) => keys.has(objectKey(o)));
  const found = keysOf(ours);
  const unmarked = wanted.filter(
    (o) => UNMARKED.has(o.kind) && !found.has(objectKey(o)) && kernel.present(o),
  );
  return [...ours, ...unmarked];
};

const piecesOf = ({ model, derive }: Converging, slices: readonly Slice[]): readonly Piece[] =>
  inOrder(slices).map((slice) => ({ slice, objects: derive(model, slice) }));

/** The host's slice has objects of many networks, so each of them is tried for itself. */
const split = (pieces: readonly Piece[]): readonly Piece[] =>
  pieces.flatMap((piece): readonly Piece[] =>
    piece.slice.kind === 'host' ? piece.objects.map((o) => ({ slice: HOST_SLICE, objects: [o] })) : [piece],
  );

const attempt = (slice: Slice, message: string, work: () => number): Outcome => {
  try {
    return { steps: work(), refusals: [] };
  } catch (error) {
    return { steps: 0, refusals: [{ slice, error, message }] };
  }
};

const sum = (outcomes: readonly Outcome[]): Outcome => ({
  steps: outcomes.reduce((steps, outcome) => steps + outcome.steps, 0),
  refusals: outcomes.flatMap(({ refusals }) => refusals),
});

const apply = (kernel: Kernel, before: readonly KernelObject[], after: readonly KernelObject[]): number => {
  const plan = diff(before, after);
  if (plan.length > 0) kernel.apply(plan);
  return plan.length;
};

const pieceByPiece = (kernel: Kernel, pieces: readonly Piece[]): Outcome => {
  const observed = kernel.observe();
  return sum(
    split(pieces).map(({ slice, objects }) =>
      attempt(slice, NOT_BROUGHT, () => apply(kernel, stateOf(kernel, observed, objects), objects)),
    ),
  );
};

/** What hangs on a link that only a plugin can make again is apart: nobody else suffers for it. */
const apart = (
  pieces: readonly Piece[],
  observed: readonly KernelObject[],
): { readonly whole: readonly Piece[]; readonly lacking: readonly Piece[] } => {
  const lacks = new Set(pieces.filter(({ objects }) => lacksLink(objects, observed)));
  return { whole: pieces.filter((piece) => !lacks.has(piece)), lacking: [...lacks] };
};

/**
 * Brings the slices to what the records want; what is in the kernel beside them stays. `ownOvs`: but not what of ours in
 * Open vSwitch nobody wants any more, e.g. of a container that went while Open vSwitch was down.
 */
export const convergeSlices = (parts: Converging, slices: readonly Slice[], ownOvs: boolean): Outcome => {
  const { kernel } = parts;
  const observed = kernel.observe();
  const { wanted, left } = reachable(kernel, apart(piecesOf(parts, slices), observed).whole);
  const objects = objectsOf(wanted);
  const keys = keysOf(objects);
  const stray = ownOvs && left.size === 0 ? observed.filter((o) => inOvs(o) && !keys.has(objectKey(o))) : [];
  const outcome = attempt(HOST_SLICE, NOT_BROUGHT, () =>
    apply(kernel, [...stateOf(kernel, observed, objects), ...stray], objects),
  );
  return outcome.refusals.length === 0 ? outcome : pieceByPiece(kernel, wanted);
};

/** All of `pieces`, and nothing of ours besides. */
const bringWhole = (kernel: Kernel, observed: readonly KernelObject[], pieces: readonly Piece[]): Outcome => {
  const wanted = objectsOf(pieces);
  const outcome = attempt(HOST_SLICE, NOT_BROUGHT, () => apply(kernel, observed, wanted));
  if (outcome.refusals.length === 0) return outcome;
  const keys = keysOf(wanted);
  const kept = observed.filter((o) => keys.has(objectKey(o)));
  const removed = attempt(HOST_SLICE, NOT_BROUGHT, () => apply(kernel, observed, kept));
  return sum([removed, pieceByPiece(kernel, pieces)]);
};

/**
 * Brings everything of ours from what is `observed` to what the records want, and removes what they do not. Sysctls have
 * no owner mark: those that were not told are simply written again, those that nobody wants are nobody's concern. What
 * lives in a service that does not answer stays as it is, with all else of its slice, until the service is back.
 * `leaveOthers`: what the records do not want stays as well: it may be of containers that run and that no record knows.
 */
export const convergeAll = (
  parts: Converging,
  slices: readonly Slice[],
  observed: readonly KernelObject[],
  leaveOthers = false,
): Outcome => {
  const { kernel } = parts;
  const { whole, lacking } = apart(piecesOf(parts, slices), observed);
  const { wanted, left } = reachable(kernel, whole);
  const keys = keysOf(objectsOf(wanted));
  const concerns = (o: KernelObject): boolean => {
    const key = objectKey(o);
    return o.kind === 'sysctl' || leaveOthers ? keys.has(key) : !left.has(key);
  };
  const brought = bringWhole(kernel, observed.filter(concerns), wanted);
  const tried = lacking.map(({ slice, objects }) =>
    attempt(slice, PLUGIN_LINK, () => apply(kernel, [], objects)),
  );
  return sum([brought, ...tried]);
};
