/**
 * Open vSwitch as part of the kernel layer: bridges, ports and internal interfaces in OVSDB, flows by OpenFlow, spoken to
 * by its own protocols on its sockets. What is silent when something is to go away is looked at again when it speaks.
 */
import type { OvsBridgeObject, OvsFlowObject, OvsLink } from '../../plan/objects.js';
import type { Step } from '../../plan/plan.js';
import { Bridges } from './bridges.js';
import { Flows, flowSteps } from './flows.js';
import { Ovsdb } from './ovsdb.js';
import type { PortNumbers } from './oxm.js';
import { Ports, portSteps, type Uplink } from './ports.js';
import { COLUMNS, type OvsState, stateOf } from './state.js';
import { isSilence, Patience } from './stream.js';

/** What a dead or absent Open vSwitch has of ours, as far as anybody can tell. */
const NOTHING: OvsState = {
  bridges: [],
  ports: [],
  internals: new Map(),
  names: new Set(),
  numbers: new Map(),
};

const numbersIn = (state: OvsState, bridge: string): PortNumbers => {
  const names = state.numbers.get(bridge) ?? new Map<number, string>();
  const byName = new Map([...names].filter(([n]) => n >= 0).map(([number, name]) => [name, number]));
  return { nameOf: (n) => names.get(n), numberOf: (name) => byName.get(name) };
};

const unlessSilent = (work: () => void, silent: () => void = () => {}): void => {
  try {
    work();
  } catch (error) {
    if (!isSilence(error)) throw error;
    silent();
  }
};

/** How long an answer to "are you there" is good for, milliseconds. */
const FRESH_MS = 100;

export class OpenVswitch {
  readonly #db: Ovsdb;
  readonly #bridges: Bridges;
  readonly #ports: Ports;
  readonly #flows: Flows;
  #owes = false;
  #known: { at: number; reachable: boolean } | undefined;

  constructor(
    readonly runDirectory: string,
    uplink: Uplink,
  ) {
    const patience = new Patience();
    this.#db = new Ovsdb(runDirectory, patience);
    this.#bridges = new Bridges(this.#db);
    this.#ports = new Ports(this.#db, uplink, () => this.#owe());
    this.#flows = new Flows(runDirectory, patience, (bridge) => numbersIn(this.#state(), bridge));
  }

  /** Do ovsdb-server and ovs-vswitchd answer? */
  reachable(): boolean {
    const now = performance.now();
    if (!this.#known || now - this.#known.at > FRESH_MS) {
      let reachable = true;
      unlessSilent(() => {
        reachable = false;
        this.#db.change([]);
        reachable = true;
      });
      this.#known = { at: now, reachable };
    }
    return this.#known.reachable;
  }

  /** Everything with our mark, and of bridges that users made what we use; nothing where Open vSwitch is silent. */
  observe(): OvsState & { readonly flows: readonly OvsFlowObject[] } {
    let found: OvsState & { readonly flows: readonly OvsFlowObject[] } = { ...NOTHING, flows: [] };
    unlessSilent(() => {
      const state = this.#state();
      const used = new Set([
        ...state.bridges.map((b) => b.name),
        ...state.ports.map((p) => p.bridge),
        ...[...state.internals.values()].map((i) => i.bridge),
      ]);
      const flows = [...used].flatMap((bridge) => this.#flows.of(bridge, numbersIn(state, bridge)));
      found = { ...state, flows };
    });
    return found;
  }

  createBridge(o: OvsBridgeObject): void {
    this.#bridges.create(o);
  }
  deleteBridge(o: OvsBridgeObject): void {
    unlessSilent(
      () => this.#bridges.delete(o),
      () => this.#owe(),
    );
  }
  createLink(o: OvsLink): void {
    this.#bridges.createLink(o);
  }
  deleteLink(o: OvsLink): void {
    unlessSilent(
      () => this.#bridges.deleteLink(o),
      () => this.#owe(),
    );
  }
  runPorts(steps: readonly Step[]): void {
    this.#ports.run(portSteps(steps));
  }
  runFlows(steps: readonly Step[]): void {
    this.#flows.run(flowSteps(steps));
  }

  /** Was there anything that could not be taken away, so that it has to be looked for when Open vSwitch is back? */
  get owes(): boolean {
    return this.#owes;
  }

  #owe(): void {
    this.#owes = true;
  }

  #state(): OvsState {
    return stateOf(this.#db.tables(COLUMNS));
  }
}

export type { OvsState };
