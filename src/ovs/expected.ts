/** What Open vSwitch holds by our own plans: the measure of drift there. Pure bookkeeping; nobody is asked. */
import { same } from '../plan/equal.js';
import {
  type KernelObject,
  type OvsBridgeObject,
  type OvsLink,
  type OvsPortObject,
  objectKey,
} from '../plan/objects.js';
import type { Plan } from '../plan/plan.js';
import type { OvsState } from './state.js';

type Kept = OvsBridgeObject | OvsPortObject | OvsLink;

const isKept = (o: KernelObject): o is Kept =>
  o.kind === 'ovs-bridge' || o.kind === 'ovs-port' || (o.kind === 'link' && o.type === 'ovs');

export class ExpectedOvs {
  readonly #kept = new Map<string, Kept>();
  /** bridge → keys of its flows */
  readonly #flows = new Map<string, Set<string>>();

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
    for (const o of [...state.bridges, ...state.ports, ...state.links]) {
      const planned = this.#kept.get(objectKey(o));
      if (!planned || !same(inDatabase(planned), o)) return true;
      there.add(objectKey(o));
    }
    return [...this.#kept].some(([key, o]) => !there.has(key) && !isUsed(o, state));
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

/** Whether a link is up is not the database's to say. */
const inDatabase = (o: Kept): Kept => (o.kind === 'link' ? { ...o, up: false } : o);

/** A bridge that the user made has no mark of ours: being there is enough. */
const isUsed = (o: Kept, { names }: OvsState): boolean =>
  o.kind === 'ovs-bridge' && o.named && names.has(o.name);
