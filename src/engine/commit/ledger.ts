/**
 * The one writer: turns a list of record changes into a plan, writes the intent down, then lets the kernel follow. Intent
 * outlives the daemon before the kernel is touched, so a crash in between is repaired by restoring towards the intent; it
 * outlives the machine before the client is answered (`Store.written`). A refused plan takes the intent back. Everything
 * here is synchronous, so no two commands ever interleave.
 */
import { leftDirty, withUndoErrors } from '../../errors.js';
import { failpoint } from '../../failpoints.js';
import type { Kernel } from '../../kernel/contract.js';
import { diff } from '../../plan/diff.js';
import { inverse } from '../../plan/inverse.js';
import { distinctSlices, type KernelObject, type Slice } from '../../plan/objects.js';
import type { Plan } from '../../plan/plan.js';
import type { Store } from '../../store/store.js';
import type { Derive } from './derive.js';
import type { Dirty } from './dirty.js';
import type { Model } from './model.js';
import type { Change, Table } from './tables.js';

export class Ledger {
  readonly #model: Model;
  readonly #store: Store;
  readonly #kernel: Kernel;
  readonly #derive: Derive;
  readonly #dirty: Pick<Dirty, 'mark' | 'has' | 'try'>;
  /** false while the daemon restores: records settle first, then the kernel converges once */
  #kernelFollows = false;

  constructor(parts: {
    model: Model;
    store: Store;
    kernel: Kernel;
    derive: Derive;
    dirty: Pick<Dirty, 'mark' | 'has' | 'try'>;
  }) {
    this.#model = parts.model;
    this.#store = parts.store;
    this.#kernel = parts.kernel;
    this.#derive = parts.derive;
    this.#dirty = parts.dirty;
  }

  /**
   * All or nothing: records, disk and kernel. Throws what the kernel or the store refused. `meanwhile` begins, as soon as
   * new namespaces are there, what goes on outside this process while the rest is made; what it throws takes all back.
   */
  commit(changes: readonly Change[], meanwhile?: () => void): void {
    const durable = changes.some((change) => outlivesReboot(this.#model, change));
    const { plan, undo } = this.#change(this.#model, changes);
    try {
      this.#write(changes, durable);
      failpoint('intent-durable');
      this.#apply(plan, undo, meanwhile);
    } catch (error) {
      if (leftDirty(error)) this.#dirty.mark(plan, error);
      for (const change of undo) this.#model.change(change);
      throw error;
    }
  }

  /**
   * What others have decided, and this host cannot refuse: where the kernel does, the slice is dirty, and tried again until it does
   * not. What is dirty is brought from what there is, as a plan from what there should be would build on what is not there.
   * Throws what the store refused, with all as it was.
   */
  accept(changes: readonly Change[]): void {
    const durable = changes.some((change) => outlivesReboot(this.#model, change));
    const slices = distinctSlices(changes.flatMap((change) => touched(this.#model, change)));
    const { plan, undo } = this.#change(this.#model, changes);
    try {
      this.#write(changes, durable);
    } catch (error) {
      for (const change of undo) this.#model.change(change);
      throw error;
    }
    if (!this.#kernelFollows) return;
    const known = slices.some((slice) => this.#dirty.has(slice));
    if (known || this.#refusalsOf(plan).length > 0) this.#dirty.try(slices, plan);
  }

  /** From now on every commit is carried out in the kernel. */
  follow(): void {
    this.#kernelFollows = true;
  }

  /** What `commit` would do to the kernel, without doing it: to a copy, so that not even the order of records is another. */
  preview(changes: readonly Change[]): Plan {
    return this.#change(this.#model.copy(), changes).plan;
  }

  /** The records change; answers what the kernel has to, and the changes that lead back. Throws with all as it was. */
  #change(
    model: Model,
    changes: readonly Change[],
  ): { readonly plan: Plan; readonly undo: readonly Change[] } {
    const slices = distinctSlices(changes.flatMap((change) => touched(model, change)));
    const owners = new Map<KernelObject, Slice>();
    const before = this.#objects(model, slices, owners);
    const undo = changes.map((change) => model.change(change)).reverse();
    try {
      return { plan: diff(before, this.#objects(model, slices, owners), (o) => owners.get(o)), undo };
    } catch (error) {
      for (const change of undo) model.change(change);
      throw error;
    }
  }

  /** Only what is ours: the cluster's records are kept by the cluster. */
  #write(changes: readonly Change[], durable: boolean): void {
    const ours = changes.filter(({ table }) => this.#model.rows[table].source === 'local');
    if (ours.length > 0) this.#store.commit(ours, durable);
  }

  #apply(plan: Plan, undo: readonly Change[], meanwhile?: () => void): void {
    try {
      if (!this.#kernelFollows) meanwhile?.();
      else if (meanwhile) this.#applyInTwo(plan, meanwhile);
      else if (plan.length > 0) this.#kernel.apply(plan);
      if (this.#kernelFollows && plan.length > 0) failpoint('kernel-applied');
    } catch (error) {
      this.#write(undo, true);
      throw error;
    }
  }

  /** A namespace builds on nothing else of the plan. */
  #applyInTwo(plan: Plan, meanwhile: () => void): void {
    const first = plan.filter(({ op, object }) => op === 'create' && object.kind === 'netns');
    const rest = plan.filter((step) => !first.includes(step));
    this.#kernel.apply(first);
    try {
      meanwhile();
      if (rest.length > 0) this.#kernel.apply(rest);
    } catch (error) {
      throw withUndoErrors(error, this.#refusalsOf(inverse(first)));
    }
  }

  #refusalsOf(plan: Plan): readonly unknown[] {
    try {
      this.#kernel.apply(plan);
      return [];
    } catch (error) {
      return [error];
    }
  }

  /** Notes whose each of them is. */
  #objects(model: Model, slices: readonly Slice[], owners: Map<KernelObject, Slice>): KernelObject[] {
    return slices.flatMap((slice) => {
      const objects = this.#derive(model, slice);
      for (const o of objects) owners.set(o, slice);
      return objects;
    });
  }
}

/** Both are asked before the change is made. */
const outlivesReboot = <T extends Table>(model: Model, change: Change<T>): boolean =>
  model.rows[change.table].outlivesReboot(model.before(change), change.value);

const touched = <T extends Table>(model: Model, change: Change<T>): readonly Slice[] =>
  model.rows[change.table].touches(change.id, model.before(change), change.value, model);
