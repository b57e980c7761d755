/**
 * From the objects that are to the objects that shall be. Order is what keeps every prefix of a plan safe: what opens is
 * removed first and added last, what guards is added before the links it guards (or before they are up) and goes after or
 * with them, ports are held before traffic is led to them.
 */
import { hostedBy, interfacesOf, isMade, isPortGuard, livesIn, lowerOf, mustRemake } from './depend.js';
import { same } from './equal.js';
import { type BridgeLink, type KernelObject, type LinkObject, objectKey } from './objects.js';
import type { Plan, Step } from './plan.js';

/** Phases of a plan, in order. Those that take away run first, those that add after, guards' removal last. */
const PHASE = {
  closeResolver: 0,
  closeElement: 1,
  closeHostport: 2,
  closeRoute: 3,
  closeNeighbour: 4,
  closeAddress: 5,
  closeSysctl: 6,
  // A port is unplugged before the flows that confine it go, and a switch goes when nothing is plugged in.
  closePort: 7,
  closeFlow: 8,
  closeLink: 9,
  closeSwitch: 10,
  closeForeign: 11,
  closeNetns: 12,
  openNetns: 13,
  openGuard: 14,
  openSwitch: 15,
  openLink: 16,
  openForeign: 17,
  // A container's end comes up last: neither port nor flow carries anything before.
  openPort: 18,
  openFlow: 19,
  openSysctl: 20,
  openAddress: 21,
  openNeighbour: 22,
  openHostport: 23,
  // Guards of a bridge's port need the port, which carries nothing before it is raised.
  openPortGuard: 24,
  openElement: 25,
  linkUp: 26,
  openRoute: 27,
  openResolver: 28,
  closeGuard: 29,
} as const;

type Phase = (typeof PHASE)[keyof typeof PHASE];

const opening = (o: KernelObject): Phase => {
  switch (o.kind) {
    case 'netns':
      return PHASE.openNetns;
    case 'link':
      return PHASE.openLink;
    case 'sysctl':
      return PHASE.openSysctl;
    case 'address':
      return PHASE.openAddress;
    case 'neighbour':
    case 'fdb':
      return PHASE.openNeighbour;
    case 'hostport':
      return PHASE.openHostport;
    case 'element':
      if (isPortGuard(o)) return PHASE.openPortGuard;
      return o.guard ? PHASE.openGuard : PHASE.openElement;
    case 'foreign':
      return PHASE.openForeign;
    case 'route':
      return PHASE.openRoute;
    case 'resolver':
      return PHASE.openResolver;
    case 'offload':
      return PHASE.openSysctl;
    case 'ovs-bridge':
      return PHASE.openSwitch;
    case 'ovs-port':
      return PHASE.openPort;
    case 'ovs-flow':
      return PHASE.openFlow;
  }
};

const closing = (o: KernelObject): Phase => {
  switch (o.kind) {
    case 'netns':
      return PHASE.closeNetns;
    case 'link':
      return PHASE.closeLink;
    case 'sysctl':
      return PHASE.closeSysctl;
    case 'address':
      return PHASE.closeAddress;
    case 'neighbour':
    case 'fdb':
      return PHASE.closeNeighbour;
    case 'hostport':
      return PHASE.closeHostport;
    case 'element':
      return o.guard ? PHASE.closeGuard : PHASE.closeElement;
    case 'foreign':
      return PHASE.closeForeign;
    case 'route':
      return PHASE.closeRoute;
    case 'resolver':
      return PHASE.closeResolver;
    case 'offload':
      return PHASE.closeSysctl;
    case 'ovs-bridge':
      return PHASE.closeSwitch;
    case 'ovs-port':
      return PHASE.closePort;
    case 'ovs-flow':
      return PHASE.closeFlow;
  }
};

/** Steps collected by phase; inside a phase they keep the order in which they came. */
class Steps {
  readonly #byPhase: Step[][] = [];
  add(phase: Phase, step: Step): void {
    const bucket = this.#byPhase[phase];
    if (bucket) bucket.push(step);
    else this.#byPhase[phase] = [step];
  }
  plan(): Plan {
    return this.#byPhase.flat();
  }
}

const create = (steps: Steps, object: KernelObject): void => {
  if (object.kind !== 'link' || !object.up || !isMade(object)) {
    steps.add(opening(object), { op: 'create', object });
    return;
  }
  // Links come up only once their addresses and the firewall are there.
  const down: LinkObject = { ...object, up: false };
  steps.add(PHASE.openLink, { op: 'create', object: down });
  steps.add(PHASE.linkUp, { op: 'replace', object, before: down });
};

/** A link loses what it had (up, the bridge, hairpin) early and gains late; isolation the other way round. */
const replacing = (object: KernelObject, before: KernelObject): Phase => {
  if (object.kind !== 'link' || before.kind !== 'link') return opening(object);
  if (before.up && !object.up) return PHASE.closeLink;
  if (object.type === 'veth' && before.type === 'veth') {
    if (object.isolated && !before.isolated) return PHASE.closeLink;
    if (before.hairpin && !object.hairpin) return PHASE.closeLink;
  }
  return PHASE.linkUp;
};

/** A bridge of somebody else's: MAC and MTU are not ours to say. */
const isTheirs = (o: KernelObject): o is BridgeLink => o.kind === 'link' && o.type === 'bridge' && !o.owned;

/**
 * Objects with one key in one state. What an element is for (`guard`) is not part of its state in the kernel, nor is what
 * we say of a missing interface; a link that has its parent's MTU has no MTU of its own.
 */
const sameState = (a: KernelObject, b: KernelObject): boolean => {
  if (a.kind === 'element' && b.kind === 'element') return same(a.data, b.data);
  if (a.kind === 'foreign' && b.kind === 'foreign') return true;
  if (a.kind === 'sysctl' && b.kind === 'sysctl') return a.value === b.value;
  if (isTheirs(a) && isTheirs(b)) return a.up === b.up;
  return a.kind === 'link' && b.kind === 'link' && (a.mtu === 0 || b.mtu === 0)
    ? same({ ...a, mtu: 0 }, { ...b, mtu: 0 })
    : same(a, b);
};

const keyed = (objects: readonly KernelObject[]): Map<string, KernelObject> =>
  new Map(objects.map((o) => [objectKey(o), o]));

/** What lies on another interface comes behind it: a sandbox's on a sub-interface of the host's, that on another. */
const lowerFirst = (objects: readonly KernelObject[]): readonly KernelObject[] => {
  const level = (o: KernelObject): number => {
    if (o.kind !== 'link' || lowerOf(o) === undefined) return 0;
    return o.ns === 'host' ? 1 : 2;
  };
  return objects.some((o) => level(o) > 0) ? [...objects].sort((a, b) => level(a) - level(b)) : objects;
};

/** Interfaces that the plan takes away or makes anew: what they carried goes with them. */
const losing = (
  before: readonly KernelObject[],
  after: ReadonlyMap<string, KernelObject>,
): {
  interfaces: Map<string, KernelObject[]>;
  namespaces: Map<string, KernelObject[]>;
  remade: Set<string>;
} => {
  const interfaces = new Map<string, KernelObject[]>();
  const namespaces = new Map<string, KernelObject[]>();
  const remade = new Set<string>();
  for (const o of lowerFirst(before)) {
    const key = objectKey(o);
    const next = after.get(key);
    if (o.kind === 'netns' && !next) namespaces.set(o.path, []);
    if (o.kind !== 'link' || !isMade(o)) continue;
    const remake = next?.kind === 'link' && (mustRemake(o, next) || interfaces.has(lowerOf(o) ?? ''));
    if (remake) remade.add(key);
    if (!remake && next) continue;
    const takes: KernelObject[] = [];
    for (const name of interfacesOf(o)) interfaces.set(name, takes);
  }
  return { interfaces, namespaces, remade };
};

const withTakes = (object: KernelObject, takes: readonly KernelObject[] | undefined): Step =>
  takes && takes.length > 0 ? { op: 'delete', object, takes } : { op: 'delete', object };

/** The ordered plan that leads from `before` to `after`. Each list may join several slices. */
export const diff = (before: readonly KernelObject[], after: readonly KernelObject[]): Plan => {
  const next = keyed(after);
  const previous = keyed(before);
  const { interfaces, namespaces, remade } = losing(before, next);
  const carrier = (o: KernelObject): KernelObject[] | undefined =>
    interfaces.get(hostedBy(o) ?? '') ?? namespaces.get(livesIn(o) ?? '');
  // A default route whose link goes and which another link takes over: the kernel keeps the old one until the link's
  // delete is through, and would refuse the new one.
  const moves = (key: string, o: KernelObject): boolean => {
    const later = next.get(key);
    return later !== undefined && hostedBy(later) !== hostedBy(o);
  };
  const steps = new Steps();
  const gone: KernelObject[] = [];
  for (const [key, o] of [...previous].reverse()) {
    const lost = carrier(o);
    if (lost && moves(key, o)) gone.push(o);
    else if (lost) lost.unshift(o);
    else if (!next.has(key) || remade.has(key)) gone.push(o);
  }
  for (const o of gone) {
    const takes = o.kind === 'link' ? interfaces.get(interfacesOf(o)[0] ?? '') : undefined;
    steps.add(closing(o), withTakes(o, o.kind === 'netns' ? namespaces.get(o.path) : takes));
  }
  for (const [key, o] of next) {
    const old = previous.get(key);
    if (!old || remade.has(key) || carrier(old)) create(steps, o);
    else if (!sameState(old, o)) steps.add(replacing(o, old), { op: 'replace', object: o, before: old });
  }
  return steps.plan();
};

/** The plan that makes all of `objects` from nothing, in the order of kernel work. */
export const build = (objects: readonly KernelObject[]): Plan => diff([], objects);
