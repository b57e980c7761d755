/**
 * The records of one table in memory, and its look-ups that must not scan. An index is a pure function from a record to the
 * texts under which it is found; it holds ids in the order in which their records came, so a record that changes keeps its place.
 */

/** The texts under which a record is found. */
export type Keys<R> = (record: R) => readonly string[];

class Index<R> {
  readonly #ids = new Map<string, Set<string>>();
  constructor(private readonly keys: Keys<R>) {}

  move(id: string, before: R | null, after: R | null): void {
    const now = after ? this.keys(after) : [];
    for (const key of before ? this.keys(before) : []) if (!now.includes(key)) this.#remove(key, id);
    for (const key of now) this.#add(key, id);
  }
  ids(key: string): ReadonlySet<string> | undefined {
    return this.#ids.get(key);
  }
  #add(key: string, id: string): void {
    const ids = this.#ids.get(key);
    if (ids) ids.add(id);
    else this.#ids.set(key, new Set([id]));
  }
  #remove(key: string, id: string): void {
    const ids = this.#ids.get(key);
    ids?.delete(id);
    if (ids?.size === 0) this.#ids.delete(key);
  }
}

export class Table<R, I extends string> {
  readonly #records = new Map<string, R>();
  readonly #indices: ReadonlyMap<string, Index<R>>;
  #edition = 0;

  constructor(indices: Readonly<Record<I, Keys<R>>>) {
    this.#indices = new Map(Object.entries<Keys<R>>(indices).map(([name, keys]) => [name, new Index(keys)]));
  }

  get records(): ReadonlyMap<string, R> {
    return this.#records;
  }

  /** Another number after each change: what was made of all records holds as long as it is the same. */
  get edition(): number {
    return this.#edition;
  }

  /** null: the record goes. Answers what was there before. */
  set(id: string, value: R | null): R | null {
    const before = this.#records.get(id) ?? null;
    this.#edition += 1;
    for (const index of this.#indices.values()) index.move(id, before, value);
    if (value === null) this.#records.delete(id);
    else this.#records.set(id, value);
    return before;
  }

  /** In the order in which they came. */
  all(index: I, key: string): readonly R[] {
    const found: R[] = [];
    for (const id of this.#indices.get(index)?.ids(key) ?? []) {
      const record = this.#records.get(id);
      if (record !== undefined) found.push(record);
    }
    return found;
  }

  first(index: I, key: string): R | undefined {
    const ids = this.#indices.get(index)?.ids(key);
    const [id] = ids ?? [];
    return id === undefined ? undefined : this.#records.get(id);
  }
}
