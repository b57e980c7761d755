/** One simulated cluster: everything that happens in it comes of a seed. */
import { control } from '../../src/cluster/control/index.js';
import type { Quiet } from '../../src/cluster/control/quiet.js';
import type { ClusterState } from '../../src/cluster/control/state.js';
import type { Transaction } from '../../src/cluster/control/transactions.js';
import type { Kind, SwarmRecords } from '../../src/model/swarm/records.js';
import { type Clock, createClock } from './clock.js';
import * as holds from './invariants.js';
import { Manager } from './manager.js';
import { Mirror, PREFIX, parseKey } from './mirror.js';
import { FakeNode } from './node.js';
import { createRandom, type Random } from './random.js';
import { type Event, Store } from './store.js';
import { doSomething, found, joinNode } from './user.js';

/** Something that must hold does not. */
export class Broken extends Error {
  constructor(
    readonly seed: number,
    readonly at: number,
    readonly problems: readonly string[],
    readonly trace: readonly string[],
  ) {
    super(`seed ${seed} at ${at} ms: ${problems.join('; ')}\nagain: npm run sim -- --seed ${seed}`);
  }
}

const START = 1_800_000_000_000;
const LATEST_LINES = 400;

export class World {
  readonly clock: Clock;
  readonly random: Random;
  readonly store: Store;
  readonly managers: Manager[] = [];
  readonly nodes: FakeNode[] = [];
  /** nothing fails any more */
  calm = false;
  /** what happened, and how often */
  readonly tally = new Map<string, number>();
  /** as everything is, at once */
  readonly #truth: Mirror;
  readonly #trace: string[] = [];
  /** tasks whose node was given up while they ran: nobody can know whether they still do */
  readonly #uncertain = new Set<string>();
  /** services that ever were to start their new tasks first */
  readonly #startsFirst = new Set<string>();
  readonly #dirty = new Set<Kind>();
  #ids = 0;
  #turns = 0;
  #leaderWrites = false;

  constructor(readonly seed: number) {
    this.random = createRandom(seed);
    this.clock = createClock(START);
    this.store = new Store(
      () => this.clock.now,
      (events) => this.#happened(events),
    );
    this.#truth = new Mirror(this.store, new Set());
    for (let at = 1; at <= 3; at += 1) this.managers.push(new Manager(this, `m${at}`));
    this.clock.in(500, () => this.#expire());
  }

  /** As everything is. */
  get view() {
    return this.#truth.state;
  }

  readonly newId = (): string => {
    this.#ids += 1;
    return `i${this.#ids}`;
  };

  /** That this happened, once more: a simulation in which nothing happens shows nothing. */
  count(what: string): void {
    this.tally.set(what, (this.tally.get(what) ?? 0) + 1);
  }

  say(text: string): void {
    this.#trace.push(`${this.clock.now - START} ${text}`);
    if (this.#trace.length > LATEST_LINES) this.#trace.shift();
  }

  imageOf(serviceId: string, spec: number): string {
    return this.#truth.state.get('service-spec', `${serviceId}/${spec}`)?.task.container.Image ?? '';
  }

  join(): void {
    const node = new FakeNode(this, `n${this.nodes.length + 1}`);
    joinNode(this, node.id);
    this.nodes.push(node);
  }

  /** Now and then: what a pass remembers of earlier ones makes no difference to what it decides. */
  sameWithout(state: ClusterState, quiet: Quiet): void {
    if (!this.random.chance(0.05)) return;
    const decide = (memory: Quiet | undefined): string => {
      let ids = 0;
      const newId = (): string => {
        ids += 1;
        return `x${ids}`;
      };
      const pass = control(state, this.clock.now, newId, memory);
      return JSON.stringify(pass);
    };
    if (decide(undefined) !== decide(quiet)) this.#fail(['a pass that remembers decides otherwise']);
  }

  #expire(): void {
    this.store.expire();
    if (!this.calm && this.random.chance(0.01))
      this.store.compact(this.store.revision - this.random.between(0, 50));
    this.clock.in(500, () => this.#expire());
  }

  /** Two never both write: the one that does holds the key, and has seen all turns before its own. */
  wroteAsLeader(manager: string, { success, compare }: Transaction): void {
    const problems: string[] = [];
    const holder = this.store.keys.get(`${PREFIX}leader`);
    if (holder?.value !== manager) problems.push(`${manager} writes, but ${holder?.value ?? 'nobody'} leads`);
    if (compare.length !== success.length + 1) problems.push('something is changed that was not compared');
    const count = this.#truth.state.get('turn', '')?.count ?? 0;
    if (count !== this.#turns + 1) problems.push(`turn ${count} after ${this.#turns}`);
    this.#turns = count;
    this.#fail(problems);
  }

  #happened(events: readonly Event[]): void {
    this.#leaderWrites = events.some(({ key }) => key === `${PREFIX}turn`);
    const before = events.map(({ key }) => {
      const known = parseKey(key);
      return known && { ...known, before: this.#truth.state.get(known.kind, known.id) };
    });
    this.#truth.catchUp();
    for (const known of before) {
      if (!known) continue;
      const after = this.#truth.state.get(known.kind, known.id);
      this.#dirty.add(known.kind);
      this.#fail(holds.transitions({ ...known, after, byLeader: this.#leaderWrites }));
      this.#note(known.kind, known.id);
      this.#tell(after, known.before);
    }
    for (const manager of this.managers) manager.hear();
  }

  #tell(after: object | undefined, before: object | undefined): void {
    if (after && 'update' in after && 'spec' in after) {
      const { update } = after as SwarmRecords['service']; // nothing else has both
      const former = (before as SwarmRecords['service'] | undefined)?.update;
      if (update && update.state !== former?.state) this.count(`update ${update.state}`);
    }
    if (after && 'state' in after) this.count(`task ${String(after.state)}`);
    if (after && 'status' in after && 'desired' in after) {
      const { status } = after as SwarmRecords['task']; // nothing else has both
      if (status.err !== '') this.count(`waits: ${status.err.replace(/[0-9.]+|".*"/g, '…')}`);
      if (status.state === 'rejected' || status.state === 'orphaned')
        this.count(`leader says ${status.state}`);
    }
  }

  #note(kind: string, id: string): void {
    const spec = kind === 'service' ? this.#truth.state.get('service', id)?.spec : undefined;
    if ([spec?.update?.order, spec?.rollback?.order].includes('start-first')) this.#startsFirst.add(id);
    const node = kind === 'node' ? this.#truth.state.get('node', id) : undefined;
    if (kind === 'node' && node?.status.state !== 'ready')
      for (const task of this.#truth.state.tasksOn(id).tasks.keys()) this.#uncertain.add(task);
  }

  #fail(problems: readonly string[]): void {
    if (problems.length > 0) throw new Broken(this.seed, this.clock.now - START, problems, this.#trace);
  }

  /** All that must hold now; what has not changed is not looked at again. */
  #check(): void {
    if (this.#dirty.size === 0) return;
    const { state } = this.#truth;
    const has = (...kinds: readonly Kind[]): boolean => kinds.some((kind) => this.#dirty.has(kind));
    if (has('task', 'ip', 'task-status', 'service')) this.#fail(holds.addresses(state));
    if (has('service', 'network', 'node', 'node-state', 'port')) this.#fail(holds.numbers(state));
    if (has('task', 'task-status', 'service'))
      for (const service of state.all('service').values())
        this.#fail([
          ...holds.slots(state, service, this.#most(service.id)),
          ...holds.updates(state, service),
        ]);
    if (has('task', 'task-status', 'node-state'))
      for (const id of state.all('node').keys()) this.#fail(holds.onNode(state, id));
    this.#dirty.clear();
  }

  /** What really runs on nodes that are there: one container a slot, two where the new one is started first. */
  #checkContainers(): void {
    const { state } = this.#truth;
    const count = new Map<string, string[]>();
    for (const node of this.nodes)
      for (const { id, serviceId, slot } of node.running) {
        const service = state.get('service', serviceId);
        const task = state.get('task', id);
        if (!service || !task || this.#uncertain.has(id)) continue;
        const key = `${serviceId} ${service.spec.mode.kind.startsWith('global') ? node.id : slot}`;
        count.set(key, [...(count.get(key) ?? []), id]);
      }
    for (const [key, tasks] of count)
      if (tasks.length > this.#most(key.split(' ')[0] ?? ''))
        this.#fail([`slot ${key} runs ${tasks.join(' ')}`]);
  }

  #most(serviceId: string): number {
    return this.#startsFirst.has(serviceId) ? 2 : 1;
  }

  #runFor(ms: number): void {
    const end = this.clock.now + ms;
    while (this.clock.step(end)) this.#check();
    this.#checkContainers();
  }

  #mischief(): void {
    const { random } = this;
    const [manager, node] = [random.pick(this.managers), random.pick(this.nodes)];
    if (!manager || !node) return;
    const what = random.pick([
      'cut off a manager',
      'kill a manager',
      'kill a node',
      'cut off a node',
    ] as const);
    if (what === 'cut off a manager') manager.connected = false;
    if (what === 'kill a manager') manager.stop();
    if (what === 'kill a node') node.vanish();
    if (what === 'cut off a node') node.cutOff = true;
    this.say(`${what} (${manager.id}, ${node.id})`);
    this.#serf();
  }

  /** Most of what fails comes back after a while. */
  #heal(probability: number): void {
    const { random } = this;
    for (const manager of this.managers) if (random.chance(probability)) manager.heal();
    for (const node of this.nodes) if (random.chance(probability)) [node.up, node.cutOff] = [true, false];
    this.#serf();
  }

  /** After some seconds the managers hear who does not answer. */
  #serf(): void {
    this.clock.in(this.random.between(1000, 8000), () => {
      for (const manager of this.managers) {
        for (const node of this.nodes) {
          if (node.up && !node.cutOff) manager.failed.delete(node.id);
          else if (this.random.chance(0.9)) manager.failed.add(node.id);
        }
        manager.lookIn(10);
      }
    });
  }

  #becomeCalm(): void {
    this.calm = true;
    this.say('calm');
    for (const manager of this.managers) manager.failed.clear();
    this.#heal(1);
  }

  #atRest(): boolean {
    const leader = this.managers.find((manager) => manager.usable && manager.leads);
    const there = this.nodes.filter(({ id }) => this.#truth.state.get('node', id));
    if (!leader || there.some(({ isBusy }) => isBusy)) return false;
    leader.mirror.catchUp();
    const { units, wake } = control(leader.mirror.state, this.clock.now, this.newId);
    return units.length === 0 && wake > this.clock.now + 24 * 3600;
  }

  /** Runs everything; throws Broken. */
  run(steps: number): void {
    found(this);
    for (let count = this.random.between(2, 5); count > 0; count -= 1) this.join();
    this.#runFor(4000);
    for (let step = 0; step < steps; step += 1) {
      if (this.random.chance(0.6)) doSomething(this);
      if (this.random.chance(0.25)) this.#mischief();
      this.#heal(0.3);
      this.#runFor(this.random.between(0, 4000));
    }
    this.#becomeCalm();
    for (let minute = 0; minute < 10; minute += 1) {
      this.#runFor(60_000);
      if (!this.#atRest()) continue;
      this.#checkRest();
      return;
    }
    this.#fail(['it does not come to rest']);
  }

  #checkRest(): void {
    const { state } = this.#truth;
    this.#fail(holds.leaks(state));
    for (const service of state.all('service').values()) this.#fail(holds.settled(state, service));
  }
}
