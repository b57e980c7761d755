/**
 * From the objects that are to the objects that shall be. Order is what keeps every prefix of a plan safe: what opens is
 * removed first and added last, what guards is added before the links it guards (or before they are up) and goes after or
 * with them, ports are held before traffic is led to them.
 */
import { hostedBy, interfacesOf, isMade, isUnmarked, livesIn, lowerOf, mustRemake } from './depend.js';
import { same } from './equal.js';
import { type KernelObject, kindOf, type LinkObject, objectKey, type Slice } from './objects.js';
import { PHASES, type Phase } from './phases.js';
import type { Plan, Step } from './plan.js';

const opening = (o: KernelObject): Phase => {
  const { open } = kindOf(o);
  return typeof open === 'string' ? open : open(o);
};

const closing = (o: KernelObject): Phase => {
  const { close } = kindOf(o);
  return typeof close === 'string' ? close : close(o);
};

/** Which slice wants an object, one of those that a plan is made of. */
export type SliceOf = (o: KernelObject) => Slice | undefined;

/** Steps collected by phase; inside a phase they keep the order in which they came. */
class Steps {
  readonly #byPhase = new Map<Phase, Step[]>();
  constructor(private readonly sliceOf: SliceOf) {}

  /** `owned`: the object by which its slice is known */
  add(phase: Phase, step: Step, owned = step.object): void {
    const slice = this.sliceOf(owned);
    const told = slice ? { ...step, slice } : step;
    const bucket = this.#byPhase.get(phase);
    if (bucket) bucket.push(told);
    else this.#byPhase.set(phase, [told]);
  }
  plan(): Plan {
    return PHASES.flatMap((phase) => this.#byPhase.get(phase) ?? []);
  }
}

const create = (steps: Steps, object: KernelObject): void => {
  if (object.kind !== 'link' || !object.up || !isMade(object)) {
    steps.add(opening(object), { op: 'create', object });
    return;
  }
  // Links come up only once their addresses and the firewall are there.
  const down: LinkObject = { ...object, up: false };
  steps.add('openLink', { op: 'create', object: down }, object);
  steps.add('linkUp', { op: 'replace', object, before: down });
};

/** A link loses what it had (up, the bridge, hairpin) early and gains late; isolation the other way round. */
const replacing = (object: KernelObject, before: KernelObject): Phase => {
  if (object.kind !== 'link' || before.kind !== 'link') return opening(object);
  if (before.up && !object.up) return 'loseLink';
  if (object.type === 'veth' && before.type === 'veth') {
    if (object.isolated && !before.isolated) return 'loseLink';
    if (before.hairpin && !object.hairpin) return 'loseLink';
  }
  return 'linkUp';
};

/** Objects with one key in one state. */
const sameState = (a: KernelObject, b: KernelObject): boolean => kindOf(a).same?.(a, b) ?? same(a, b);

const keyed = (objects: readonly KernelObject[]): Map<string, KernelObject> => {
  const found = new Map<string, KernelObject>();
  for (const o of objects) found.set(objectKey(o), o);
  return found;
};

/** What lies on another interface comes behind it: a sandbox's on a sub-interface of the host's, that on another. */
const level = (o: KernelObject): number => {
  if (o.kind !== 'link' || lowerOf(o) === undefined) return 0;
  return o.ns === 'host' ? 1 : 2;
};

/** Can other objects go with it, or must it be made anew where it is to be another? */
const isHeavy = (o: KernelObject): boolean =>
  o.kind === 'netns' || (o.kind === 'link' ? isMade(o) : kindOf(o).fixed !== undefined);

/** Interfaces that the plan takes away or makes anew: what they carried goes with them. */
const losing = (
  before: ReadonlyMap<string, KernelObject>,
  after: ReadonlyMap<string, KernelObject>,
): {
  interfaces: Map<string, KernelObject[]>;
  namespaces: Map<string, KernelObject[]>;
  remade: Set<string>;
} => {
  const interfaces = new Map<string, KernelObject[]>();
  const namespaces = new Map<string, KernelObject[]>();
  const remade = new Set<string>();
  const heavy: [string, KernelObject][] = [];
  for (const entry of before) if (isHeavy(entry[1])) heavy.push(entry);
  heavy.sort(([, a], [, b]) => level(a) - level(b));
  for (const [key, o] of heavy) {
    const next = after.get(key);
    if (o.kind === 'netns' && !next) namespaces.set(o.path, []);
    const lower = o.kind === 'link' ? lowerOf(o) : undefined;
    const remake = next && (mustRemake(o, next) || interfaces.has(lower ?? ''));
    if (remake) remade.add(key);
    if (o.kind !== 'link' || (next && !remake)) continue;
    const takes: KernelObject[] = [];
    for (const name of interfacesOf(o)) interfaces.set(name, takes);
  }
  return { interfaces, namespaces, remade };
};

/** `old`: what is there under its key, if anything is. */
export const isAsWanted = (old: KernelObject | undefined, wanted: KernelObject): boolean =>
  old !== undefined && sameState(old, wanted);

/**
 * Of many objects that are wanted, most of which are there: those that a plan must know of. What is as it should be has no step where
 * nothing goes that it may lie on. `there`: by key; `strays`: what goes; `changed`: those of `wanted` that are not as they should be.
 */
export const unsettled = (
  there: ReadonlyMap<string, KernelObject>,
  strays: readonly KernelObject[],
  changed: readonly KernelObject[],
  wanted: readonly KernelObject[],
): readonly KernelObject[] => {
  const mayTake = (o: KernelObject): boolean => isHeavy(o) && (isUnmarked(o) || there.has(objectKey(o)));
  return strays.some(isHeavy) || changed.some(mayTake) ? wanted : changed;
};

type Delete = Extract<Step, { readonly op: 'delete' }>;

const withTakes = (object: KernelObject, takes: readonly KernelObject[] | undefined): Delete =>
  takes && takes.length > 0 ? { op: 'delete', object, takes } : { op: 'delete', object };

const DEFAULT = /^(0\.0\.0\.0|::)\/0$/;

/** A sandbox's way out goes before its other links: by it would pass, for a moment, what an internal network has kept in. */
const leadsOut = ({ object, takes = [] }: Delete): boolean =>
  object.kind === 'link' && takes.some((o) => o.kind === 'route' && DEFAULT.test(o.destination));

/**
 * The ordered plan that leads from `before` to `after`. Each list may join several slices; where it is told which object is
 * whose, each step keeps that.
 */
export const diff = (
  before: readonly KernelObject[],
  after: readonly KernelObject[],
  sliceOf: SliceOf = () => undefined,
): Plan => {
  const next = keyed(after);
  const previous = keyed(before);
  const { interfaces, namespaces, remade } = losing(previous, next);
  const carrier = (o: KernelObject): KernelObject[] | undefined =>
    interfaces.get(hostedBy(o) ?? '') ?? namespaces.get(livesIn(o) ?? '');
  // A default route whose link goes and which another link takes over: the kernel keeps the old one until the link's
  // delete is through, and would refuse the new one.
  const moves = (key: string, o: KernelObject): boolean => {
    const later = next.get(key);
    return later !== undefined && hostedBy(later) !== hostedBy(o);
  };
  const steps = new Steps(sliceOf);
  const gone: KernelObject[] = [];
  for (const [key, o] of [...previous].reverse()) {
    const lost = carrier(o);
    if (lost && (moves(key, o) || kindOf(o).apart)) gone.push(o);
    else if (lost) lost.unshift(o);
    else if (!next.has(key) || remade.has(key)) gone.push(o);
  }
  const deletes = gone.map((o) => {
    const takes = o.kind === 'link' ? interfaces.get(interfacesOf(o)[0] ?? '') : undefined;
    return withTakes(o, o.kind === 'netns' ? namespaces.get(o.path) : takes);
  });
  for (const isWayOut of [true, false])
    for (const step of deletes) if (leadsOut(step) === isWayOut) steps.add(closing(step.object), step);
  for (const [key, o] of next) {
    const old = previous.get(key);
    if (!old || remade.has(key) || carrier(old)) create(steps, o);
    else if (!sameState(old, o)) steps.add(replacing(o, old), { op: 'replace', object: o, before: old });
  }
  return steps.plan();
};

/** The plan that makes all of `objects` from nothing, in the order of kernel work. */
export const build = (objects: readonly KernelObject[], sliceOf?: SliceOf): Plan =>
  diff([], objects, sliceOf);
