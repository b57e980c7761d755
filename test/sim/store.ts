/** etcd, as far as the simulation needs it, answering at once: revisions, transactions, leases, a log to follow, compaction. */
import type { Transaction } from '../../src/cluster/control/transactions.js';

export interface Entry {
  readonly value: string;
  readonly created: number;
  readonly version: number;
  readonly lease?: number;
}

export interface Event {
  readonly key: string;
  /** undefined: it went */
  readonly entry: Entry | undefined;
  readonly before: Entry | undefined;
}

type Compare = Transaction['compare'][number] | { readonly key: string; readonly exists: true };

export interface Request {
  readonly compare: readonly Compare[];
  readonly success: Transaction['success'];
  /** of everything that is put */
  readonly lease?: number;
}

export class Store {
  readonly keys = new Map<string, Entry>();
  revision = 0;
  /** what is older can only be read as it is now */
  compacted = 0;
  readonly #log = new Map<number, readonly Event[]>();
  readonly #leases = new Map<number, number>();
  #leaseCount = 0;

  /** `told`: each revision, when it has come about */
  constructor(
    readonly now: () => number,
    readonly told: (events: readonly Event[]) => void,
  ) {}

  /** False: refused, and nothing has changed. */
  commit({ compare, success, lease }: Request): boolean {
    if (lease !== undefined && !this.#leases.has(lease)) return false;
    if (!compare.every((each) => this.#holds(each))) return false;
    const revision = this.revision + 1;
    const events = success.flatMap((operation): readonly Event[] => {
      const before = this.keys.get(operation.key);
      if (operation.do === 'delete') return before ? [{ key: operation.key, entry: undefined, before }] : [];
      const { key, value } = operation;
      const entry = { value, created: before?.created ?? revision, version: revision };
      return [{ key, entry: lease === undefined ? entry : { ...entry, lease }, before }];
    });
    this.#apply(events);
    return true;
  }

  #holds(compare: Compare): boolean {
    const entry = this.keys.get(compare.key);
    if ('exists' in compare) return entry !== undefined;
    if ('createRevision' in compare) return (entry?.created ?? 0) === compare.createRevision;
    if ('modRevision' in compare) return (entry?.version ?? 0) === compare.modRevision;
    return entry?.value === compare.value;
  }

  #apply(events: readonly Event[]): void {
    if (events.length === 0) return;
    this.revision += 1;
    for (const { key, entry } of events) {
      if (entry) this.keys.set(key, entry);
      else this.keys.delete(key);
    }
    this.#log.set(this.revision, events);
    this.told(events);
  }

  /** What happened at a revision; undefined: it is forgotten. */
  at(revision: number): readonly Event[] | undefined {
    return this.#log.get(revision);
  }

  compact(revision: number): void {
    for (; this.compacted < Math.min(revision, this.revision); this.compacted += 1)
      this.#log.delete(this.compacted);
  }

  grant(ms: number): number {
    this.#leaseCount += 1;
    this.#leases.set(this.#leaseCount, this.now() + ms);
    return this.#leaseCount;
  }

  /** False: it has ended. */
  keep(lease: number, ms: number): boolean {
    if (!this.#leases.has(lease)) return false;
    this.#leases.set(lease, this.now() + ms);
    return true;
  }

  /** Leases whose time is over end, and their keys with them. */
  expire(): void {
    for (const [lease, until] of [...this.#leases]) {
      if (until > this.now()) continue;
      this.#leases.delete(lease);
      const gone = [...this.keys].filter(([, entry]) => entry.lease === lease);
      this.#apply(gone.map(([key, before]) => ({ key, entry: undefined, before })));
    }
  }
}
