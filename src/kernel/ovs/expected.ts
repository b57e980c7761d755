/** What Open vSwitch holds by our own plans: the measure of drift there. Pure bookkeeping; nobody is asked. */
import { same } from '../../plan/equal.js';
import {
  type KernelObject,
  type OvsBridgeObject,
  type OvsLink,
  type OvsPortObject,
  objectKey,
} from '../../plan/objects.js';
import type { Plan } from '../../plan/plan.js';
import type { OvsState } from './state.js';

type Kept = OvsBridgeObject | OvsPortObject | OvsLink;

const isKept = (o: KernelObject): o is Kept =>
  o.kind === 'ovs-bridge' || o.kind === 'ovs-port' || (o.kind === 'link' && o.type === 'ovs');

export class ExpectedOvs {
  readonly #kept = new Map<string, Kept>();
  /** bridge → keys of its flows */
  readonly #flows = new Map<string, Set<string>>();

  adopt(objects: readonly KernelObject[]): void {
    for (const o of objects) this.#make(o);
  }

  follow(plan: Plan): void {
    for (const { op, object } of plan) {
      if (op === 'delete') this.#drop(object);
      else this.#make(object);
    }
  }

  get empty(): boolean {
    return this.#kept.size === 0;
  }

  get flowCounts(): ReadonlyMap<string, number> {
    return new Map([...this.#flows].map(([bridge, keys]) => [bridge, keys.size]));
  }

  /** True where something planned is missing or otherwise, or something with our mark is in no plan. */
  drifted(state: OvsState): boolean {
    const there = new Set<string>();
    for (const o of [...state.bridges, ...state.ports]) {
      const planned = this.#kept.get(objectKey(o));
      if (!planned || !same(planned, o)) return true;
      there.add(objectKey(o));
    }
    for (const { name } of state.internals.values()) there.add(`link host ${name}`);
    return [...this.#kept].some(([key, o]) => !there.has(key) && !isUsed(o, state)) || this.#unplanned(state);
  }

  #unplanned({ internals }: OvsState): boolean {
    return [...internals.values()].some(({ name, bridge, tag, mac, mtu }) => {
      const o = this.#kept.get(`link host ${name}`);
      return o?.kind !== 'link' || o.bridge !== bridge || o.tag !== tag || o.mac !== mac || o.mtu !== mtu;
    });
  }

  #make(o: KernelObject): void {
    if (isKept(o)) this.#kept.set(objectKey(o), o);
    if (o.kind !== 'ovs-flow') return;
    const keys = this.#flows.get(o.bridge) ?? new Set<string>();
    this.#flows.set(o.bridge, keys.add(objectKey(o)));
  }

  #drop(o: KernelObject): void {
    if (isKept(o)) this.#kept.delete(objectKey(o));
    if (o.kind !== 'ovs-flow') return;
    const keys = this.#flows.get(o.bridge);
    keys?.delete(objectKey(o));
    if (keys?.size === 0) this.#flows.delete(o.bridge);
  }
}

/** A bridge that the user made has no mark of ours: being there is enough. */
const isUsed = (o: Kept, { names }: OvsState): boolean =>
  o.kind === 'ovs-bridge' && o.named && names.has(o.name);
