/**
 * A kernel of maps: carries plans out step by step with the rules that make order matter (nothing on a link that is not
 * there, no route on a link that is down, no IPv6 address where IPv6 is off, deletes take along what hangs on them).
 */
import { hostedBy, interfacesOf, livesIn, lowerOf } from '../../src/plan/depend.js';
import { same } from '../../src/plan/equal.js';
import { type KernelObject, type LinkObject, objectKey } from '../../src/plan/objects.js';
import type { Plan, Step } from '../../src/plan/plan.js';

/** What no message to the kernel changes in a link that exists. */
const refuseRemaking = (before: KernelObject, after: KernelObject): void => {
  if (before.kind !== 'link' || after.kind !== 'link') return;
  const fixed = (l: LinkObject): unknown => [
    l.type,
    ...(l.type === 'veth' ? [l.peerNs, l.peerName, l.peerMac] : []),
    ...('parent' in l ? [l.parent] : []),
    ...(l.type === 'vlan' ? [l.vlan] : []),
    l.type === 'macvlan' && l.mode === 'passthru',
    ...(l.type === 'moved' ? [l.source] : []),
  ];
  if (!same(fixed(before), fixed(after))) throw new Error(`${objectKey(after)}: has to be made anew`);
};

export class Interpreter {
  readonly #objects = new Map<string, KernelObject>();

  constructor(objects: readonly KernelObject[] = []) {
    for (const o of objects) this.#objects.set(objectKey(o), o);
  }

  get objects(): readonly KernelObject[] {
    return [...this.#objects.values()];
  }

  /** Everything there is, in an order that does not depend on history. */
  get state(): Record<string, KernelObject> {
    return Object.fromEntries([...this.#objects].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  has(o: KernelObject): boolean {
    return this.#objects.has(objectKey(o));
  }

  run(plan: Plan, each: () => void = () => {}): void {
    for (const step of plan) {
      this.step(step);
      each();
    }
  }

  step(step: Step): void {
    const key = objectKey(step.object);
    const present = this.#objects.get(key);
    if (step.op === 'create' ? present : !present)
      throw new Error(`${step.op} ${key}: ${present ? 'exists' : 'absent'}`);
    if (step.op === 'delete') {
      this.#delete(step.object);
      return;
    }
    if (step.op === 'replace' && !same(present, step.before))
      throw new Error(`replace ${key}: not as it was said to be`);
    if (step.op === 'replace') refuseRemaking(step.before, step.object);
    this.#check(step.object);
    this.#objects.set(key, step.object);
    if (step.object.kind === 'link' && !step.object.up) this.#dropRoutes(step.object);
  }

  #link(interfaceName: string): LinkObject | undefined {
    for (const o of this.#objects.values())
      if (o.kind === 'link' && interfacesOf(o).includes(interfaceName)) return o;
    return undefined;
  }

  #check(o: KernelObject): void {
    const refuse = (why: string): never => {
      throw new Error(`${objectKey(o)}: ${why}`);
    };
    const namespace = (ns: string): void => {
      if (ns !== 'host' && !this.#objects.has(`netns ${ns}`)) refuse('no such namespace');
    };
    const host = hostedBy(o);
    const link = host === undefined ? undefined : this.#link(host);
    if (host !== undefined && !link) refuse('no such link');
    if (o.kind === 'route' && !link?.up) refuse('the link is down');
    if (o.kind === 'address' && o.address.includes(':')) this.#checkIpv6(o.ns, o.link, refuse);
    if (o.kind === 'link') {
      namespace(o.ns);
      for (const upper of this.#objects.values())
        if (
          upper.kind === 'link' &&
          !this.#objects.has(objectKey(o)) &&
          interfacesOf(o).includes(lowerOf(upper) ?? '')
        )
          refuse(`${upper.name} lies on it already`);
      if (o.type === 'veth') {
        namespace(o.peerNs);
        if (o.master !== '' && !this.#objects.has(`link ${o.ns} ${o.master}`)) refuse('no such bridge');
      }
    }
    if (o.kind === 'resolver') namespace(o.ns);
    const inSwitch =
      o.kind === 'ovs-port' || o.kind === 'ovs-flow' || (o.kind === 'link' && o.type === 'ovs');
    if (inSwitch && !this.#objects.has(`ovs-bridge ${o.bridge}`)) refuse('no such bridge');
    const port = o.kind === 'ovs-flow' ? o.match.in_port : undefined;
    if (port !== undefined && !this.#objects.has(`ovs-port ${port}`)) refuse('no such port');
    if (o.kind === 'ovs-port' && o.role === 'endpoint' && !this.#link(`host ${o.name}`))
      refuse('no such link');
  }

  #checkIpv6(ns: string, link: string, refuse: (why: string) => never): void {
    const off = this.#objects.get(`sysctl ${ns} net/ipv6/conf/${link}/disable_ipv6`);
    if (off?.kind === 'sysctl' && off.value === '1') refuse('IPv6 is off');
  }

  #delete(o: KernelObject): void {
    this.#objects.delete(objectKey(o));
    if (o.kind === 'link') {
      const gone = interfacesOf(o);
      this.#deleteWhere((other) => gone.includes(hostedBy(other) ?? ''));
      for (const other of this.objects)
        if (other.kind === 'link' && gone.includes(lowerOf(other) ?? '')) this.#delete(other);
    }
    if (o.kind === 'netns') this.#deleteWhere((other) => livesIn(other) === o.path);
  }

  #dropRoutes(link: LinkObject): void {
    const names = interfacesOf(link);
    this.#deleteWhere((o) => o.kind === 'route' && names.includes(hostedBy(o) ?? ''));
  }

  #deleteWhere(doomed: (o: KernelObject) => boolean): void {
    for (const [key, o] of this.#objects) if (doomed(o)) this.#objects.delete(key);
  }
}
