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
import { amiss, type Converging, converge, type Outcome, outstanding, type Refusal } from './converge.js';
import { allSlices, type Derive, derivedAhead } from './derive.js';
import { ownerOf } from './owner.js';

export interface DirtyParts extends Converging {
  readonly log: Logger;
  /** containers run that no record knows: what no record wants may be theirs */
  readonly leaveOthers: () => boolean;
}

/** So many slices are brought without a look at them before. */
const AT_ONCE = 16;

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

  has(slice: Slice): boolean {
    return this.#dirty.has(sliceKey(slice));
  }

  /** Brings the slices at once, in whichever state they are; what the plan was to take away goes, marked or not. */
  try(slices: readonly Slice[], plan: Plan): void {
    for (const { object } of plan) this.#left.add(objectKey(object));
    this.#bring(this.parts, slices, () => this.parts.kernel.observe(), this.#isStray);
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
      this.parts,
      allSlices(this.parts.model),
      () => observed,
      ({ kind }) => kind !== 'sysctl',
    );
  }

  /**
   * `slices`: asked when all is derived. Of many, only those are brought that are seen to be amiss, or known to be. Answers the steps
   * taken; 0 when all was well.
   */
  async bring(slices: (derive: Derive) => readonly Slice[]): Promise<number> {
    const ahead = await this.#ahead();
    const concerned = slices(ahead.derive);
    // What keeps us from looking keeps us from bringing, and is told then.
    const seen = new Set(
      concerned.length > AT_ONCE ? await amiss(ahead, concerned).catch(() => concerned) : concerned,
    );
    if (this.#closed) return 0;
    const suspects = concerned.filter((slice) => seen.has(slice) || this.#dirty.has(sliceKey(slice)));
    return this.#bring(ahead, suspects, () => this.parts.kernel.observe(), this.#isStray);
  }

  /** What would be done now, if all slices were brought: nothing where all is as it should be. */
  async outstanding(): Promise<Plan> {
    const ahead = await this.#ahead();
    const suspects = await amiss(ahead, allSlices(this.parts.model));
    const isStray = this.parts.leaveOthers() ? () => false : this.#isStray;
    return outstanding(ahead, suspects, this.parts.kernel.observe(), isStray);
  }

  /** Where a slice cannot be derived, whoever needs it is told. */
  async #ahead(): Promise<Converging> {
    const { kernel, model, derive } = this.parts;
    return { kernel, model, derive: await derivedAhead(model, derive).catch(() => derive) };
  }

  /** What lies on a link beside what we put there is whoever's put it there. */
  readonly #isStray = (o: KernelObject): boolean => isMarked(o) || this.#left.has(objectKey(o));

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #bring(
    converging: Converging,
    slices: readonly Slice[],
    observe: () => readonly KernelObject[],
    isStray: (o: KernelObject) => boolean,
  ): number {
    const leaving = this.parts.leaveOthers();
    const { steps, refusals } = this.#converge(converging, slices, observe, leaving ? () => false : isStray);
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
    converging: Converging,
    slices: readonly Slice[],
    observe: () => readonly KernelObject[],
    isStray: (o: KernelObject) => boolean,
  ): Outcome {
    try {
      this.parts.kernel.ensureTables();
      return converge(converging, slices, observe(), isStray);
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
      void this.bring(() => [...this.#dirty.values()].map(({ slice }) => slice));
    }, pause).unref();
  }
}
