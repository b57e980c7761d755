/**
 * The one writer: turns a list of record changes into a plan, writes the intent down, then lets the kernel follow. Intent
 * outlives the daemon before the kernel is touched, so a crash in between is repaired by restoring towards the intent; it
 * outlives the machine before the client is answered (`Store.written`). A refused plan takes the intent back. Everything
 * here is synchronous, so no two commands ever interleave.
 */
import { failpoint } from '../../failpoints.js';
import type { Kernel } from '../../kernel/contract.js';
import { diff } from '../../plan/diff.js';
import { inverse } from '../../plan/inverse.js';
import type { KernelObject, Slice } from '../../plan/objects.js';
import type { Plan } from '../../plan/plan.js';
import type { Change, Store } from '../../store/store.js';
import type { Model } from './model.js';

export type Derive = (model: Model, slice: Slice) => readonly KernelObject[];

export class Ledger {
  readonly #model: Model;
  readonly #store: Store;
  readonly #kernel: Kernel;
  readonly #derive: Derive;
  /** false while the daemon restores: records settle first, then the kernel converges once */
  #kernelFollows = false;

  constructor(parts: { model: Model; store: Store; kernel: Kernel; derive: Derive }) {
    this.#model = parts.model;
    this.#store = parts.store;
    this.#kernel = parts.kernel;
    this.#derive = parts.derive;
  }

  /**
   * All or nothing: records, disk and kernel. Throws what the kernel or the store refused. `meanwhile` begins, as soon as
   * new namespaces are there, what goes on outside this process while the rest is made; what it throws takes all back.
   */
  commit(changes: readonly Change[], meanwhile?: () => void): void {
    const slices = touched(this.#model, changes);
    const before = this.#objects(slices);
    const undo = changes.map((change) => this.#model.change(change)).reverse();
    try {
      const plan = diff(before, this.#objects(slices));
      this.#store.commit(
        changes,
        changes.some((change, i) => outlivesReboot(change, undo.at(-1 - i))),
      );
      failpoint('intent-durable');
      this.#apply(plan, undo, meanwhile);
    } catch (error) {
      for (const change of undo) this.#model.change(change);
      throw error;
    }
  }

  /** From now on every commit is carried out in the kernel. */
  follow(): void {
    this.#kernelFollows = true;
  }

  /** What `commit` would do to the kernel, without doing it. */
  preview(changes: readonly Change[]): Plan {
    const slices = touched(this.#model, changes);
    const before = this.#objects(slices);
    const undo = changes.map((change) => this.#model.change(change)).reverse();
    try {
      return diff(before, this.#objects(slices));
    } finally {
      for (const change of undo) this.#model.change(change);
    }
  }

  #apply(plan: Plan, undo: readonly Change[], meanwhile?: () => void): void {
    try {
      if (!this.#kernelFollows) meanwhile?.();
      else if (meanwhile) this.#applyInTwo(plan, meanwhile);
      else if (plan.length > 0) this.#kernel.apply(plan);
      if (this.#kernelFollows && plan.length > 0) failpoint('kernel-applied');
    } catch (error) {
      this.#store.commit(undo, true);
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
      this.#kernel.apply(inverse(first));
      throw error;
    }
  }

  #objects(slices: readonly Slice[]): KernelObject[] {
    return slices.flatMap((slice) => this.#derive(this.#model, slice));
  }
}

/**
 * Must the change outlive the machine? Sandboxes, endpoints and a container's state do not: after a reboot nothing runs.
 * What the user asked for does.
 */
const outlivesReboot = (change: Change, undo: Change | undefined): boolean => {
  if (change.table === 'network') return true;
  // A plugin keeps its networks over a reboot (a central database), as we keep ours.
  if (change.table === 'owed') return change.value?.of === 'network';
  if (change.table !== 'container') return false;
  const before = undo?.table === 'container' ? undo.value : null;
  const after = change.value;
  // `--rm`: gone after a reboot anyway
  if ((after ?? before)?.hostConfig.AutoRemove) return false;
  if (before === null || after === null) return before !== after;
  return (
    before.name !== after.name ||
    before.hostConfig !== after.hostConfig ||
    before.networks !== after.networks ||
    before.stoppedByUser !== after.stoppedByUser
  );
};

/** The slices whose objects depend on a changed record. A changed sandbox moves routes of its endpoints. */
const touched = (model: Model, changes: readonly Change[]): Slice[] => {
  const slices = new Set<Slice>();
  for (const { table, id, value } of changes) {
    if (table === 'network') {
      slices.add(`network/${id}`).add('host');
      const known = model.networks.has(id) && value !== null;
      if (known) for (const e of model.endpointsOfNetwork(id)) slices.add(`endpoint/${e.id}`);
    } else if (table === 'endpoint') slices.add(`endpoint/${id}`);
    else if (table === 'sandbox') {
      slices.add(`sandbox/${id}`);
      for (const e of model.endpointsOfSandbox(id)) slices.add(`endpoint/${e.id}`);
    }
  }
  return [...slices];
};
