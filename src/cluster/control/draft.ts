/**
 * One pass's decisions, tried on the state while they are made, so that each sees those before it, and taken back at the end: to
 * whoever asked for the pass, the state has never changed. What must happen together is a unit; units that share a record are
 * one, as a record has one version to be compared. No unit is bigger than a transaction may be: then the rest is for another pass.
 */
import type { Claimed } from '../../model/swarm/cluster.js';
import { type Instant, type Kept, unwritten } from '../../model/swarm/kept.js';
import { type Kind, keyOf, type SwarmRecords } from '../../model/swarm/records.js';
import type { ClusterState } from './state.js';

/** One record as it is to be; `record` absent: gone. `version`: what it must be until then, 0: not there. */
export type Change = {
  readonly [K in Kind]: {
    readonly kind: K;
    readonly id: string;
    readonly version: number;
    readonly record: SwarmRecords[K] | undefined;
  };
}[Kind];

/** Changes that are made all or not at all. */
export type Unit = readonly Change[];

/** Of one unit: with the fence and its comparisons it fits into a transaction of etcd (128 operations). */
export const LARGEST_UNIT = 96;
/** Changes of one pass: some tens of transactions, so that the next pass soon sees what has come of them. */
const MOST_CHANGES = 1000;

type Put = { readonly [K in Kind]: readonly [kind: K, record: SwarmRecords[K]] }[Kind];
type Remove = { readonly [K in Kind]: readonly [kind: K, record: SwarmRecords[K], remove: 'remove'] }[Kind];
export type Edit = Put | Remove;

interface Touched {
  readonly kind: Kind;
  readonly id: string;
  readonly before: SwarmRecords[Kind] | undefined;
  group: Group;
}

/** Keys that belong together; emptied when it becomes a part of another. */
interface Group {
  keys: string[];
}

const SINGLE = '';
const idOf = (kind: Kind, record: { readonly id: string }): string =>
  kind === 'cluster' ? SINGLE : record.id;

export class Draft {
  readonly #touched = new Map<string, Touched>();
  #more = false;
  #edits = 0;

  constructor(
    readonly state: ClusterState,
    readonly now: Instant,
    readonly newId: () => string,
  ) {}

  /** No more changes fit into this pass. */
  get full(): boolean {
    return this.#touched.size >= MOST_CHANGES;
  }

  /** There is more to do, for another pass at once. */
  get more(): boolean {
    return this.#more || this.full;
  }

  /** How many edits were made: more than before, and something has changed. */
  get edits(): number {
    return this.#edits;
  }

  postpone(): void {
    this.#more = true;
  }

  /** Makes the edits together; false, and nothing made, where that would be too much for one transaction or one pass. */
  unit(...edits: readonly Edit[]): boolean {
    if (edits.length === 0) return true;
    const keys = edits.map(([kind, record]) => keyOf(kind, idOf(kind, record)));
    const groups = new Set(keys.map((key) => this.#touched.get(key)?.group).filter((g) => g !== undefined));
    const fresh = new Set(keys.filter((key) => !this.#touched.has(key)));
    const size = [...groups].reduce((sum, group) => sum + group.keys.length, fresh.size);
    if (size > LARGEST_UNIT || this.full) {
      this.#more = true;
      return false;
    }
    const group = this.#join([...groups]);
    for (const edit of edits) this.#edit(edit, group);
    this.#edits += edits.length;
    return true;
  }

  #join([first, ...others]: readonly Group[]): Group {
    const group: Group = first ?? { keys: [] };
    for (const other of others) {
      for (const key of other.keys) {
        const touched = this.#touched.get(key);
        if (touched) touched.group = group;
        group.keys.push(key);
      }
      other.keys = [];
    }
    return group;
  }

  #edit(edit: Edit, group: Group): void {
    const [kind, record, remove] = edit;
    const id = idOf(kind, record);
    const key = keyOf(kind, id);
    if (!this.#touched.has(key)) {
      this.#touched.set(key, { kind, id, before: this.state.get(kind, id), group });
      group.keys.push(key);
    }
    this.state.set(kind, id, remove ? undefined : { ...record, seen: this.now }, this.now);
  }

  /** What has changed, in the order in which it was first touched; the state is as it was. */
  finish(): readonly Unit[] {
    const units: Unit[] = [];
    const done = new Set<Group>();
    for (const { group } of this.#touched.values()) {
      if (done.has(group)) continue;
      done.add(group);
      const unit = group.keys.flatMap((key) => this.#change(key));
      if (unit.length > 0) units.push(unit);
    }
    for (const { kind, id, before } of [...this.#touched.values()].reverse())
      this.state.set(kind, id, before, before?.seen ?? this.now);
    return units;
  }

  #change(key: string): readonly Change[] {
    const touched = this.#touched.get(key);
    if (!touched) return [];
    const { kind, id, before } = touched;
    const record = this.state.get(kind, id);
    if (!before && !record) return []; // came and went within the pass
    return [{ kind, id, version: before?.version ?? 0, record } as Change]; // kind and record are of one table
  }
}

/** `id`: what of its kind is `owner`'s from now on. */
export const claim = ({ now }: Draft, id: string, owner: string): Claimed => ({
  ...unwritten(now),
  id,
  owner,
});

/** The value that is written: without what only the mirror knows. */
export const writtenOf = <T extends Kept>({ version, created, seen, firstSeen, ...value }: T): object =>
  value;
