/**
 * Open vSwitch as a back end of the kernel layer: bridges, ports and internal interfaces in OVSDB, flows by OpenFlow,
 * spoken to by its own protocols on its sockets. What is silent when something is to go away is looked at again when it
 * speaks.
 */
import { existsSync } from 'node:fs';
import type { Context } from '../kernel/back-ends/contract.js';
import type { Drift } from '../kernel/contract.js';
import type { OvsBackEnd } from '../kernel/index.js';
import { same } from '../plan/equal.js';
import {
  type KernelObject,
  type KindOf,
  type ObjectOf,
  type OvsBridgeObject,
  type OvsFlowObject,
  type OvsLink,
  type OvsPortObject,
  objectKey,
} from '../plan/objects.js';
import type { Plan, Step } from '../plan/plan.js';
import { Bridges } from './bridges.js';
import { ExpectedOvs } from './expected.js';
import { Flows } from './flows.js';
import { Ovsdb } from './ovsdb.js';
import type { PortNumbers } from './oxm.js';
import { Ports } from './ports.js';
import { COLUMNS, type OvsState, stateOf } from './state.js';
import { Patience, unlessSilent } from './stream.js';
import { OvsWatch } from './watch.js';

type OvsObject = ObjectOf<KindOf<'ovs'>>;
type OvsStep = Step<OvsObject>;

export interface OvsParts {
  /** where Open vSwitch has its sockets */
  readonly runDirectory: string;
  /** is any network of ours on it? */
  readonly wanted: () => boolean;
}

const numbersIn = (state: OvsState, bridge: string): PortNumbers => {
  const names = state.numbers.get(bridge) ?? new Map<number, string>();
  const byName = new Map([...names].filter(([n]) => n >= 0).map(([number, name]) => [name, number]));
  return { nameOf: (n) => names.get(n), numberOf: (name) => byName.get(name) };
};

/** How long an answer to "are you there" is good for, milliseconds. */
const FRESH_MS = 100;

class OpenVswitch implements OvsBackEnd {
  readonly #db: Ovsdb;
  readonly #bridges: Bridges;
  readonly #ports: Ports;
  readonly #flows: Flows;
  readonly #expected = new ExpectedOvs();
  #watch: OvsWatch | undefined;
  /** Was there anything that could not be taken away, so that it has to be looked for when Open vSwitch is back? */
  #owes = false;
  #known: { at: number; reachable: boolean } | undefined;

  constructor(private readonly parts: OvsParts) {
    const { runDirectory } = parts;
    const patience = new Patience();
    this.#db = new Ovsdb(runDirectory, patience);
    this.#bridges = new Bridges(this.#db);
    this.#ports = new Ports(this.#db, () => this.#owe());
    this.#flows = new Flows(runDirectory, patience, (bridge) => numbersIn(this.#state(), bridge));
  }

  /** Ports and flows go together, all or nothing; the first kind alone decides. */
  together({ object: before }: OvsStep, { object: next }: OvsStep): boolean {
    return before.kind === next.kind && next.kind !== 'ovs-bridge';
  }

  run(steps: readonly OvsStep[], _: Context, done: (step: OvsStep) => void): void {
    const [first] = steps;
    if (first?.object.kind === 'ovs-port') this.#ports.run(steps as readonly Step<OvsPortObject>[]);
    else if (first?.object.kind === 'ovs-flow') this.#flows.run(steps as readonly Step<OvsFlowObject>[]);
    else for (const step of steps) this.#bridge(step as Step<OvsBridgeObject>);
    for (const step of steps) done(step);
  }

  #bridge({ op, object }: Step<OvsBridgeObject>): void {
    if (op === 'delete') this.#unlessSilent(() => this.#bridges.delete(object));
    else this.#bridges.create(object);
  }

  createLink(o: OvsLink): void {
    this.#bridges.createLink(o);
  }

  deleteLink(o: OvsLink): void {
    this.#unlessSilent(() => this.#bridges.deleteLink(o));
  }

  /** Everything with our mark, and of bridges that users made what we use; nothing where Open vSwitch is silent. */
  observe(said: readonly KernelObject[]): readonly KernelObject[] {
    if (this.#expected.empty && !existsSync(this.parts.runDirectory)) return said;
    return [...said, ...this.#observed()];
  }

  present(o: OvsObject): boolean {
    return this.#observed().some((found) => objectKey(found) === objectKey(o) && same(found, o));
  }

  /** Do ovsdb-server and ovs-vswitchd answer? */
  reachable(): boolean {
    const now = performance.now();
    if (!this.#known || now - this.#known.at > FRESH_MS) {
      const reachable = unlessSilent(() => this.#db.change([]));
      this.#known = { at: now, reachable };
    }
    return this.#known.reachable;
  }

  watch(onDrift: (drift: readonly Drift[]) => void): void {
    this.#watch?.close();
    this.#watch = new OvsWatch({
      runDirectory: this.parts.runDirectory,
      wanted: () => this.parts.wanted() || this.#owes || !this.#expected.empty,
      drifted: (state) => this.#expected.drifted(state),
      flows: () => this.#expected.flowCounts,
      onDrift: () => onDrift([{ kind: 'service', service: 'ovs' }]),
    });
  }

  follow(plan: Plan): void {
    this.#expected.follow(plan);
  }

  close(): void {
    this.#watch?.close();
  }

  #observed(): readonly KernelObject[] {
    let found: readonly KernelObject[] = [];
    unlessSilent(() => {
      const state = this.#state();
      const { bridges, ports, links } = state;
      const used = new Set([
        ...bridges.map(({ name }) => name),
        ...[...ports, ...links].map(({ bridge }) => bridge),
      ]);
      const flows = [...used].flatMap((bridge) => this.#flows.of(bridge, numbersIn(state, bridge)));
      found = [...bridges, ...ports, ...flows, ...links];
    });
    return found;
  }

  #unlessSilent(work: () => void): void {
    if (!unlessSilent(work)) this.#owe();
  }

  #owe(): void {
    this.#owes = true;
  }

  #state(): OvsState {
    return stateOf(this.#db.tables(COLUMNS));
  }
}

export const createOvs = (parts: OvsParts): OvsBackEnd => new OpenVswitch(parts);
