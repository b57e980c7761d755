/**
 * The kernel in memory, for tests without root: it refuses what the kernel refuses, with the same errno, and takes along
 * what the kernel takes along. It can be told to fail at any step. Invariant: `apply` of a refused plan leaves the state
 * as it was, unless it is told to refuse inverses too.
 */
import { KernelError, withUndoErrors } from '../../src/errors.js';
import type { Drift, Kernel } from '../../src/kernel/contract.js';
import { formatPrefix, parsePrefix } from '../../src/model/address.js';
import { hostedBy, interfaceKey, interfacesOf, isMade, livesIn, lowerOf } from '../../src/plan/depend.js';
import { same } from '../../src/plan/equal.js';
import { inverseStep } from '../../src/plan/inverse.js';
import { type ForeignObject, type KernelObject, type LinkObject, objectKey } from '../../src/plan/objects.js';
import type { Plan, Step } from '../../src/plan/plan.js';
import { ERRNO, refusal } from './fake-kernel-rules.js';

export interface FakeKernel extends Kernel {
  /** everything there is, in the order in which it was made */
  objects(): readonly KernelObject[];
  /**
   * The `n`-th step from now (1: the next) is refused with errno EIO, inverses not counted; 0: none is. Ends with the
   * plan that it hits.
   */
  failAt(n: number): void;
  /** Every step of which it answers true is refused with errno EIO, inverses too; undefined: none is. */
  refuse(refuses: ((step: Step) => boolean) | undefined): void;
  /** Somebody else makes or removes an object, without any check; watchers hear of it. */
  meddle(op: 'create' | 'delete', object: KernelObject): void;
}

/** The kernel has one spelling of an address. */
const canonicalKey = (o: KernelObject): string => {
  if (o.kind !== 'address') return objectKey(o);
  const prefix = parsePrefix(o.address);
  return prefix ? objectKey({ ...o, address: formatPrefix(prefix) }) : objectKey(o);
};

class Fake implements FakeKernel {
  readonly #objects = new Map<string, KernelObject>();
  #countdown = 0;
  #refuses: ((step: Step) => boolean) | undefined;
  #watcher: ((drift: readonly Drift[]) => void) | undefined;

  objects(): readonly KernelObject[] {
    return [...this.#objects.values()];
  }
  failAt(n: number): void {
    this.#countdown = n;
  }
  refuse(refuses: ((step: Step) => boolean) | undefined): void {
    this.#refuses = refuses;
  }
  meddle(op: 'create' | 'delete', object: KernelObject): void {
    if (op === 'create') this.#objects.set(canonicalKey(object), object);
    else this.#remove(object);
    this.#watcher?.([driftOf(object)]);
  }

  apply(plan: Plan): void {
    const applied: Step[] = [];
    try {
      for (const step of plan) {
        this.#countdown -= 1;
        if (this.#countdown === 0) throw refused(ERRNO.EIO, step.op, step.object, 'told to fail');
        const undone = this.#undoable(step);
        if (this.#step(step)) applied.push(undone);
      }
    } catch (error) {
      throw withUndoErrors(error, this.#undo(applied));
    }
  }

  settled(): Promise<void> {
    return Promise.resolve();
  }
  observe(): readonly KernelObject[] {
    return this.objects().filter((o) => o.kind !== 'sysctl' && o.kind !== 'foreign');
  }
  present(object: KernelObject): boolean {
    if (this.#isForeign(object)) return true;
    if (object.kind === 'foreign') return refusal(this.objects(), object) === undefined;
    const known = this.#objects.get(canonicalKey(object));
    return known !== undefined && sameState(known, object);
  }
  reachable(): boolean {
    return true;
  }
  watch(onDrift: (drift: readonly Drift[]) => void): readonly KernelObject[] {
    this.#watcher = onDrift;
    return this.objects().filter((o) => o.kind !== 'foreign');
  }
  ensureTables(): void {}
  rebind(): void {}
  addressesOf(): readonly [] {
    return [];
  }
  suspended(): readonly [] {
    return [];
  }
  dropped(): readonly [] {
    return [];
  }
  dropTables(): void {
    for (const o of this.objects()) if (o.kind === 'element') this.#remove(o);
  }
  close(): Promise<void> {
    this.#watcher = undefined;
    return Promise.resolve();
  }

  /** A sysctl always has a value: the inverse of writing it for the first time is to write back the former one. */
  #undoable(step: Step): Step {
    const before =
      step.op === 'create' && step.object.kind === 'sysctl' && this.#objects.get(objectKey(step.object));
    return before ? { op: 'replace', object: step.object, before } : step;
  }

  /** Goes on behind a refusal, and answers the refusals. */
  #undo(applied: readonly Step[]): readonly unknown[] {
    return [...applied]
      .reverse()
      .flatMap(inverseStep)
      .flatMap((inverse) => {
        try {
          this.#step(inverse);
          return [];
        } catch (error) {
          return [error];
        }
      });
  }

  /** False where there was nothing to do: the object was there, or gone, already. */
  #step(step: Step): boolean {
    if (this.#refuses?.(step)) throw refused(ERRNO.EIO, step.op, step.object, 'told to refuse');
    if (step.op === 'delete') return this.#delete(step.object);
    if (step.op === 'replace') return this.#replace(step.object, step.before);
    return this.#create(step.object);
  }

  #create(o: KernelObject): boolean {
    const known = this.#objects.get(canonicalKey(o));
    if (this.#isForeign(o)) return false;
    this.#check('create', o);
    if (o.kind === 'foreign') return false;
    if (known && o.kind !== 'sysctl') {
      if (sameState(known, o)) return false;
      if (known.kind === 'link' && o.kind === 'link' && sameState({ ...known, up: o.up }, o)) {
        // A link of a former, interrupted plan: as there, it is taken over and raised or lowered.
        this.#put(o);
        return true;
      }
      throw refused(ERRNO.EEXIST, 'create', o, 'File exists');
    }
    this.#put(o);
    return true;
  }

  #replace(o: KernelObject, before: KernelObject): boolean {
    if (this.#isForeign(o)) return false;
    this.#check('replace', o);
    if (o.kind === 'link' && isMade(o) && !this.#objects.has(objectKey(o)))
      throw refused(ERRNO.ENODEV, 'replace', o, '');
    this.#put(o);
    if (o.kind === 'link' && before.kind === 'link' && before.up && !o.up)
      for (const name of interfacesOf(o)) this.#dropWhere((d) => d.kind === 'route' && hostedBy(d) === name);
    return true;
  }

  /** A user's own bridge stays as it is, apart from being raised. */
  #put(o: KernelObject): void {
    const known = this.#objects.get(canonicalKey(o));
    if (o.kind === 'link' && !isMade(o) && known?.kind === 'link')
      this.#objects.set(objectKey(o), { ...known, up: known.up || o.up });
    else this.#objects.set(canonicalKey(o), o);
    if (o.kind === 'link' && o.type === 'moved') this.#objects.delete(objectKey(onHost(o.source)));
  }

  #delete(o: KernelObject): boolean {
    if ((o.kind === 'link' && !isMade(o)) || this.#isForeign(o) || o.kind === 'foreign') return false;
    const there = this.#objects.get(objectKey(o));
    const gone = this.#remove(o);
    if (gone && there?.kind === 'link' && there.type === 'moved') {
      const back = onHost(there.source);
      this.#objects.set(objectKey(back), back);
    }
    return gone;
  }

  /** Somebody else made an interface where a sub-interface or a dummy was to be: it is used as it is. */
  #isForeign(o: KernelObject): boolean {
    if (o.kind !== 'link' || (o.type !== 'vlan' && o.type !== 'dummy')) return false;
    return this.#objects.has(objectKey({ kind: 'foreign', ns: o.ns, name: o.name, missing: '' }));
  }

  #remove(o: KernelObject): boolean {
    const known = this.#objects.get(canonicalKey(o));
    if (!this.#objects.delete(canonicalKey(o))) return false;
    if (known?.kind === 'link') this.#takeAlong(known);
    if (known?.kind === 'foreign') this.#takeUpper(interfaceKey('host', known.name));
    if (o.kind === 'netns') {
      this.#dropWhere((d) => livesIn(d) === o.path);
      for (const d of this.objects())
        if (d.kind === 'link' && (d.ns === o.path || (d.type === 'veth' && d.peerNs === o.path)))
          this.#remove(d);
    }
    return true;
  }

  #takeAlong(link: LinkObject): void {
    const gone = new Set(interfacesOf(link));
    this.#dropWhere((d) => gone.has(hostedBy(d) ?? ''));
    for (const name of gone) this.#takeUpper(name);
    if (link.type !== 'bridge') return;
    for (const d of this.objects())
      if (d.kind === 'link' && 'master' in d && d.ns === link.ns && d.master === link.name)
        this.#objects.set(objectKey(d), { ...d, master: '' });
  }

  /** What lies on an interface dies with it. */
  #takeUpper(lower: string): void {
    for (const d of this.objects()) if (d.kind === 'link' && lowerOf(d) === lower) this.#remove(d);
  }

  #dropWhere(gone: (o: KernelObject) => boolean): void {
    for (const [key, o] of this.#objects) if (gone(o)) this.#objects.delete(key);
  }

  #check(op: 'create' | 'replace', o: KernelObject): void {
    const found = refusal(this.objects(), o);
    if (found) throw refused(found.errno, op, o, found.why);
  }
}

/** What is moved into a sandbox was somebody else's before, and is again afterwards. */
const onHost = (name: string): ForeignObject => ({ kind: 'foreign', ns: 'host', name, missing: '' });

const refused = (errno: number, op: string, o: KernelObject, why: string): KernelError =>
  new KernelError(errno, `${op} ${objectKey(o)}`, why);

/** `guard` is the plan's word, not the kernel's; a user's own bridge has no state of ours. */
const sameState = (a: KernelObject, b: KernelObject): boolean => {
  if (a.kind === 'element' && b.kind === 'element')
    return same({ ...a, guard: undefined }, { ...b, guard: undefined });
  if (a.kind === 'link' && b.kind === 'link' && b.type === 'bridge' && !b.owned)
    return a.type === 'bridge' && (a.up || !b.up);
  if (a.kind === 'address' && b.kind === 'address') return canonicalKey(a) === canonicalKey(b);
  if (a.kind === 'link' && b.kind === 'link' && b.mtu === 0) return same({ ...a, mtu: 0 }, b);
  return same(a, b);
};

const driftOf = (o: KernelObject): Drift => {
  switch (o.kind) {
    case 'link':
    case 'foreign':
      return { kind: 'link', ns: o.ns, name: o.name };
    case 'address':
    case 'neighbour':
    case 'fdb':
      return { kind: 'address', ns: 'host', name: o.link };
    case 'element':
      return { kind: 'nftables' };
    case 'ovs-bridge':
    case 'ovs-port':
    case 'ovs-flow':
      return { kind: 'service', service: 'ovs' };
    default:
      return { kind: 'route' };
  }
};

export const createFakeKernel = (before: readonly KernelObject[] = []): FakeKernel => {
  const kernel = new Fake();
  for (const o of before) kernel.meddle('create', o);
  return kernel;
};
