/**
 * The slices that are not in the kernel as the records want them: a plan was refused and so was its undoing, or somebody
 * broke what could not be mended at once. Each is tried again until it is clean, ever more rarely, without an end; what
 * carries our mark and no record wants goes in the same pass. What is dirty is told once, and when it is clean again.
 */
import type { Dirty as Entries } from '../../door/schema.js';
import type { Logger } from '../../log.js';
import { isMarked } from '../../plan/depend.js';
import { HOST_SLICE, type KernelObject, objectKey, type Slice, sliceKey } from '../../plan/objects.js';
import type { Plan } from '../../plan/plan.js';
import { type Converging, converge, type Outcome, outstanding, type Refusal } from './converge.js';
import { allSlices } from './derive.js';
import { ownerOf } from './owner.js';

export interface DirtyParts extends Converging {
  readonly log: Logger;
  /** containers run that no record knows: what no record wants may be theirs */
  readonly leaveOthers: () => boolean;
}

/** Milliseconds between tries. */
const PAUSE = { first: 200, longest: 10_000 } as const;

export class Dirty {
  readonly #dirty = new Map<string, Entries[number] & { readonly slice: Slice }>();
  /** keys of what refused plans may have left, marked or not */
  readonly #left = new Set<string>();
  #pause: number = PAUSE.first;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(private readonly parts: DirtyParts) {}

  list(): Entries {
    return [...this.#dirty.values()].map(({ owner, error, since }) => ({ owner, error, since }));
  }

  /** A plan was refused, and so was its undoing. */
  mark(plan: Plan, error: unknown): void {
    for (const { object, slice = HOST_SLICE } of plan) {
      this.#left.add(objectKey(object));
      this.#note({ slice, error: String(error) });
    }
    this.#again(0);
  }

  /**
   * At a start: all that carries our mark, or lies on what does, becomes what the records want. Sysctls have no mark: those that
   * nobody wants are nobody's concern. Answers how many steps it took.
   */
  restore(observed: readonly KernelObject[]): number {
    return this.#bring(
      allSlices(this.parts.model),
      () => observed,
      ({ kind }) => kind !== 'sysctl',
    );
  }

  /** Answers how many steps it took; 0 when all was as it should be. */
  bring(slices: readonly Slice[]): number {
    return this.#bring(slices, () => this.parts.kernel.observe(), this.#isStray);
  }

  /** What would be done now, if all slices were brought: nothing where all is as it should be. */
  outstanding(): Plan {
    const isStray = this.parts.leaveOthers() ? () => false : this.#isStray;
    return outstanding(this.parts, this.parts.kernel.observe(), isStray);
  }

  /** What lies on a link beside what we put there is whoever's put it there. */
  readonly #isStray = (o: KernelObject): boolean => isMarked(o) || this.#left.has(objectKey(o));

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #bring(
    slices: readonly Slice[],
    observe: () => readonly KernelObject[],
    isStray: (o: KernelObject) => boolean,
  ): number {
    const leaving = this.parts.leaveOthers();
    const { steps, refusals } = this.#converge(slices, observe, leaving ? () => false : isStray);
    const refused = new Set(refusals.map(({ slice }) => sliceKey(slice)));
    for (const slice of slices)
      if (!refused.has(sliceKey(slice)) && !(leaving && this.#isGone(slice))) this.#clean(slice);
    const more = refusals.filter((refusal) => this.#note(refusal));
    if (this.#dirty.size === 0) this.#left.clear();
    if (more.length > 0) this.#again(PAUSE.first);
    else if (this.#timer === undefined) this.#again(this.#pause);
    return steps;
  }

  /** Throws nothing: what went wrong before anything could be tried is the reason of all. */
  #converge(
    slices: readonly Slice[],
    observe: () => readonly KernelObject[],
    isStray: (o: KernelObject) => boolean,
  ): Outcome {
    try {
      this.parts.kernel.ensureTables();
      return converge(this.parts, slices, observe(), isStray);
    } catch (error) {
      const all = slices.length > 0 ? slices : [HOST_SLICE];
      return { steps: 0, refusals: all.map((slice) => ({ slice, error: String(error) })) };
    }
  }

  #isGone(slice: Slice): boolean {
    return slice.kind !== 'host' && !this.parts.model.tables[slice.kind].records.has(slice.id);
  }

  /** Answers whether it was clean before. */
  #note({ slice, error }: Refusal): boolean {
    const key = sliceKey(slice);
    const known = this.#dirty.get(key);
    const { owner, since } = known ?? {
      owner: ownerOf(this.parts.model, slice),
      since: new Date().toISOString(),
    };
    if (known?.error !== error)
      this.parts.log.error(
        { slice: owner.name, error },
        'not as the records want it, and tried again until it is',
      );
    this.#dirty.set(key, { slice, owner, error, since });
    return known === undefined;
  }

  #clean(slice: Slice): void {
    const known = this.#dirty.get(sliceKey(slice));
    if (!known) return;
    this.#dirty.delete(sliceKey(slice));
    this.parts.log.info({ slice: known.owner.name, since: known.since }, 'as the records want it again');
  }

  #again(pause: number): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#closed || this.#dirty.size === 0) return;
    this.#pause = Math.min(Math.max(2 * pause, PAUSE.first), PAUSE.longest);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.bring([...this.#dirty.values()].map(({ slice }) => slice));
    }, pause).unref();
  }
}
