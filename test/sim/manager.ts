/**
 * A manager: a mirror that lags, a lease, sessions of nodes, and the controllers while it leads, or believes so. What it sends to
 * the store may be lost, may be carried out without an answer, or late.
 */
import { type Assigned, assignedTo, difference, itemsOf } from '../../src/cluster/control/assignment.js';
import { control } from '../../src/cluster/control/index.js';
import { Quiet } from '../../src/cluster/control/quiet.js';
import { type Items, Shared } from '../../src/cluster/control/shared.js';
import { encode, type Transaction, transactions } from '../../src/cluster/control/transactions.js';
import type { Instant } from '../../src/model/swarm/kept.js';
import { keyOf } from '../../src/model/swarm/records.js';
import type { TaskReport } from '../../src/model/swarm/task.js';
import { Mirror, PREFIX } from './mirror.js';
import type { World } from './world.js';

const LEASE = 10_000;
const BEAT = 3_000;
const LEADER = `${PREFIX}leader`;

export type Report = Omit<TaskReport, 'version' | 'created' | 'seen' | 'firstSeen'>;

export interface Session {
  readonly epoch: string;
  readonly value: string;
  /** of the store: the manager's view must be as new before it tells the node what to do */
  readonly revision: number;
  /** what the node has been told */
  told?: Assigned;
}

/** What a node is to have otherwise than it was told. */
export interface Told extends ReturnType<typeof difference> {
  readonly whole: boolean;
  /** all of it, now and then, to compare */
  readonly all?: Items;
}

export class Manager {
  readonly failed = new Set<string>();
  readonly #quiet = new Quiet();
  #shared: Shared;
  #mirror: Mirror;
  up = true;
  /** it reaches the store */
  connected = true;
  #lease: number | undefined;
  #fence: { readonly key: string; readonly createRevision: number } | undefined;
  #passAt: Instant | undefined;
  /** how often a node was told what it is to have */
  #told = 0;
  /** of its own last transaction */
  #wrote = 0;

  constructor(
    readonly world: World,
    readonly id: string,
  ) {
    this.#mirror = new Mirror(world.store, this.failed);
    this.#shared = new Shared(this.#mirror.state);
    this.#beat();
  }

  get mirror(): Mirror {
    return this.#mirror;
  }

  get usable(): boolean {
    return this.up && this.connected && this.#lease !== undefined;
  }

  get leads(): boolean {
    return this.#fence !== undefined;
  }

  stop(): void {
    this.up = false;
    this.#lease = undefined;
    this.#fence = undefined;
  }

  /** It is there again, with nothing of what it knew if it was dead, and reaches the store. */
  heal(): void {
    if (this.up && this.connected) return;
    if (!this.up) {
      this.failed.clear();
      this.#mirror = new Mirror(this.world.store, this.failed);
      this.#shared = new Shared(this.#mirror.state);
    }
    [this.up, this.connected] = [true, true];
    this.hear();
  }

  /** Something is new in the store. */
  hear(): void {
    const { clock, random, calm } = this.world;
    const lag = !calm && random.chance(0.02) ? random.between(500, 4000) : random.between(1, 40);
    clock.in(lag, () => this.#see());
  }

  #see(): void {
    if (!this.up || !this.connected) return;
    this.#mirror.catchUp();
    const holder = this.#mirror.leader;
    if (this.#fence && holder?.created !== this.#fence.createRevision) this.#fence = undefined;
    if (!holder) this.#stand();
    this.lookIn(50);
  }

  #beat(): void {
    const { clock, store } = this.world;
    clock.in(BEAT, () => this.#beat());
    if (!this.up || !this.connected) return;
    if (this.#lease === undefined || !store.keep(this.#lease, LEASE)) {
      this.#lease = store.grant(LEASE);
      this.#fence = undefined;
    }
    this.#see();
  }

  #stand(): void {
    const { store } = this.world;
    if (this.#lease === undefined) return;
    const took = store.commit({
      compare: [{ key: LEADER, createRevision: 0 }],
      success: [{ do: 'put', key: LEADER, value: this.id }],
      lease: this.#lease,
    });
    if (!took) return;
    this.#fence = { key: LEADER, createRevision: store.revision };
    this.#mirror.catchUp();
    this.world.say(`${this.id} leads`);
    this.world.count('a leader takes over');
    this.lookIn(0);
  }

  /** Lets the controllers look again, at the latest so many milliseconds from now. */
  lookIn(ms: number): void {
    if (!this.#fence || !Number.isFinite(ms)) return;
    const at = this.world.clock.now + Math.max(0, ms);
    if (this.#passAt !== undefined && this.#passAt <= at) return;
    this.#passAt = at;
    this.world.clock.in(Math.max(0, ms), () => {
      if (this.#passAt !== at) return;
      this.#passAt = undefined;
      this.#look();
    });
  }

  #look(): void {
    const { clock, random, newId } = this.world;
    if (!this.up || !this.#fence) return;
    // Mostly it waits for its own words to come back; the fence must do without.
    if (this.#mirror.reached < this.#wrote && random.chance(0.8)) {
      this.lookIn(20);
      return;
    }
    this.world.sameWithout(this.#mirror.state, this.#quiet);
    const { units, wake } = control(this.#mirror.state, clock.now, newId, this.#quiet);
    this.lookIn(wake - clock.now);
    const turn = this.#mirror.state.get('turn', '');
    for (const each of transactions(units, { prefix: PREFIX, leader: this.#fence, turn })) {
      const outcome = this.#send(each);
      this.world.count(`transaction ${outcome}`);
      if (outcome === 'done') this.#wrote = this.world.store.revision;
      else {
        this.lookIn(100);
        return;
      }
    }
  }

  #send(transaction: Transaction): 'done' | 'refused' | 'unknown' {
    const { clock, random, calm } = this.world;
    const lost = !this.connected || (!calm && random.chance(0.02));
    if (!lost) return this.#carryOut(transaction) ? 'done' : 'refused';
    if (random.chance(0.4)) clock.in(random.between(1, 20_000), () => this.#carryOut(transaction));
    else if (this.connected && random.chance(0.5)) this.#carryOut(transaction);
    return 'unknown';
  }

  #carryOut(transaction: Transaction): boolean {
    const done = this.world.store.commit(transaction);
    if (done) this.world.wroteAsLeader(this.id, transaction);
    return done;
  }

  /** Undefined: not possible now. */
  openSession(node: string): Session | undefined {
    const { store, newId } = this.world;
    if (!this.usable || this.#lease === undefined) return undefined;
    const epoch = newId();
    const value = encode({ id: node, manager: this.id, epoch });
    const opened = store.commit({
      compare: [{ key: PREFIX + keyOf('node', node), exists: true }],
      success: [{ do: 'put', key: PREFIX + keyOf('session', node), value }],
      lease: this.#lease,
    });
    return opened ? { epoch, value, revision: store.revision } : undefined;
  }

  /** What the node is to do; undefined: the session is over, or the view is too old to say. */
  assignmentFor(node: string, session: Session): Told | 'over' | undefined {
    if (!this.usable) return 'over';
    if (this.#mirror.reached < session.revision) return undefined;
    if (this.#mirror.state.get('session', node)?.epoch !== session.epoch) return 'over';
    const to = {
      nodeId: node,
      asked: new Set<string>(),
      openSecret: ({ data }: { readonly data: string }) => data,
    };
    const assigned = assignedTo(this.#mirror.state, to, this.#shared);
    const whole = session.told === undefined;
    const told = { whole, ...difference(session.told ?? new Map(), assigned) };
    session.told = assigned;
    this.#told += 1;
    if (this.#told % 50 !== 0) return told;
    this.world.count('a node has all that it is to have');
    return { ...told, all: itemsOf(assignedTo(this.#mirror.state, to)) };
  }

  /** True: written. */
  report(node: string, session: Session, report: Report): boolean {
    if (!this.usable || (!this.world.calm && this.world.random.chance(0.03))) return false;
    const known = this.#mirror.state.get('task-status', report.id);
    const key = PREFIX + keyOf('task-status', report.id);
    return this.world.store.commit({
      compare: [
        { key: PREFIX + keyOf('session', node), value: session.value },
        { key: PREFIX + keyOf('task', report.id), exists: true },
        known ? { key, modRevision: known.version } : { key, createRevision: 0 },
      ],
      success: [{ do: 'put', key, value: encode(report) }],
    });
  }
}
