/** A node: does what a manager tells it, in its own time; its containers fail, it vanishes, it is cut off and goes on alone. */
import { isDeepStrictEqual } from 'node:util';
import { type AssignedItem, itemKey } from '../../src/cluster/session/assigned.js';
import { hasEnded, isAfter, type TaskState } from '../../src/model/swarm/task.js';
import type { Manager, Report, Session, Told } from './manager.js';
import type { World } from './world.js';

type AssignedTask = Extract<AssignedItem, { readonly kind: 'task' }>;

interface Held {
  task: AssignedTask;
  state: TaskState;
  /** of its next step */
  at: number;
  runningAt: number | undefined;
  /** as far as a manager has written it down */
  told: TaskState | undefined;
  err: string;
}

/** What images do, by the first word of their names. */
export const IMAGES = ['fine', 'flaky', 'broken', 'missing', 'short'] as const;

export class FakeNode {
  readonly held = new Map<string, Held>();
  /** as far as it was told */
  readonly #items = new Map<string, AssignedItem>();
  up = true;
  /** no manager can be reached */
  cutOff = false;
  #manager: Manager | undefined;
  #session: Session | undefined;

  constructor(
    readonly world: World,
    readonly id: string,
  ) {
    this.#tick();
  }

  /** Its containers run. */
  get running(): readonly AssignedTask[] {
    return [...this.held.values()]
      .filter(({ state }) => state === 'starting' || state === 'running')
      .map(({ task }) => task);
  }

  get isBusy(): boolean {
    return [...this.held.values()].some(({ state, told }) => state !== told);
  }

  /** With everything that runs on it. */
  vanish(): void {
    this.up = false;
    this.held.clear();
    this.#drop();
  }

  #drop(): void {
    this.#manager = undefined;
    this.#session = undefined;
  }

  #tick(): void {
    const { clock, random } = this.world;
    clock.in(random.between(100, 400), () => this.#tick());
    if (!this.up) return;
    for (const held of this.held.values()) this.#advance(held);
    if (this.cutOff) this.#drop();
    else if (this.#session) this.#listen(this.#session);
    else this.#connect();
  }

  #listen(session: Session): void {
    const told = this.#manager?.assignmentFor(this.id, session);
    if (told === 'over') {
      this.#drop();
      return;
    }
    if (told) this.#obey(told);
    this.#report();
  }

  #connect(): void {
    const manager = this.world.random.pick(this.world.managers);
    this.#session = manager?.openSession(this.id);
    this.#manager = this.#session ? manager : undefined;
  }

  /** What is not there any more ends at once. */
  #obey({ whole, set, unset, all }: Told): void {
    if (whole) this.#items.clear();
    for (const key of unset) this.#items.delete(key);
    for (const item of set) this.#items.set(itemKey(item), item);
    const sorted = (items: Iterable<[string, AssignedItem]>) =>
      [...items].sort(([a], [b]) => (a < b ? -1 : 1));
    if (all && !isDeepStrictEqual(sorted(this.#items), sorted(all)))
      throw new Error(`${this.id} has not what it is to have`);
    const tasks = [...this.#items.values()].filter((item) => item.kind === 'task');
    const ids = new Set(tasks.map(({ id }) => id));
    for (const id of this.held.keys()) if (!ids.has(id)) this.held.delete(id);
    for (const task of tasks) {
      const held = this.held.get(task.id);
      if (held) held.task = task;
      else this.#take(task);
    }
  }

  #take(task: AssignedTask): void {
    const { state, err } = task.status;
    if (hasEnded(state)) {
      this.held.set(task.id, { task, state, at: 0, runningAt: undefined, told: state, err });
      return;
    }
    const known = this.#manager?.mirror.state.get('task-status', task.id)?.state;
    // Of what it had before it vanished nothing is left.
    const lost = known !== undefined;
    this.held.set(task.id, {
      task,
      state: lost ? 'failed' : 'accepted',
      at: this.#soon(1000),
      runningAt: undefined,
      told: undefined,
      err: lost ? 'the container is gone' : '',
    });
  }

  #soon(most: number): number {
    return this.world.clock.now + this.world.random.between(20, most);
  }

  #image({ serviceId, spec }: AssignedTask): string {
    const image = this.world.imageOf(serviceId, spec).split(':')[0] ?? '';
    return this.world.calm ? 'fine' : image;
  }

  #advance(held: Held): void {
    if (hasEnded(held.state) || held.at > this.world.clock.now) return;
    const next = this.#next(held);
    if (next) this.#to(held, ...next);
    else held.at = this.#soon(5000);
  }

  /** What becomes of it, and what is wrong with it; undefined: it stays. */
  #next({ task, state }: Held): readonly [TaskState, string] | undefined {
    const { desired } = task;
    if (desired === 'shutdown' || desired === 'remove') return ['shutdown', ''];
    const image = this.#image(task);
    switch (state) {
      case 'accepted':
        return ['preparing', ''];
      case 'preparing':
        return image === 'missing' ? ['rejected', 'No such image'] : ['ready', ''];
      case 'ready':
        return desired === 'ready' ? undefined : ['starting', ''];
      case 'starting':
        return image === 'broken' ? ['failed', 'task: non-zero exit (1)'] : ['running', ''];
      default:
        if (desired === 'complete' || image === 'short') return ['complete', ''];
        return image === 'flaky' && this.world.random.chance(0.1)
          ? ['failed', 'task: non-zero exit (137)']
          : undefined;
    }
  }

  #to(held: Held, state: TaskState, err: string): void {
    if (!isAfter(state, held.state)) throw new Error(`a node goes back from ${held.state} to ${state}`);
    if (state === 'running') held.runningAt = this.world.clock.now;
    held.state = state;
    held.err = err;
    held.at = this.#soon(state === 'running' ? 6000 : 900);
  }

  #report(): void {
    const { clock } = this.world;
    for (const held of this.held.values()) {
      if (held.state === held.told || !this.#session) continue;
      const report: Report = {
        id: held.task.id,
        state: held.state,
        message: held.state,
        err: held.err,
        at: clock.now + 12_345, // another clock
        ...(held.runningAt === undefined ? {} : { runningAt: held.runningAt + 12_345 }),
      };
      if (this.#manager?.report(this.id, this.#session, report)) held.told = held.state;
    }
  }
}
