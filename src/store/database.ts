/**
 * The lmdb file. It is read by `pages.ts`, which believes nothing; lmdb opens it when there is something to write, for root
 * only, and what it then maps was found to be whole.
 */
import { chmodSync, existsSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { RootDatabase } from 'lmdb';
import { PAGE, readPages } from './pages.js';
import { SUM, seal, sumOf, unseal, type Values } from './values.js';

/** Loaded at the first write: to load it takes as long as to read the records of 300 containers. */
const lmdb = (): typeof import('lmdb') => createRequire(import.meta.url)('lmdb');

/** A key and its value as JSON, or null: none any more. */
export type Entry = readonly [key: string, json: string | null];

/** All that is in a file, or what is wrong with it. */
export const valuesOf = (file: Buffer): Values | { readonly damage: string } => {
  const found = readPages(file);
  if ('damage' in found) return found;
  const values = unseal(found.entries.map(([key, value]) => [key, value.toString('utf8')]));
  return typeof values === 'string' ? { damage: values } : values;
};

/** undefined: there is none. */
export const readDatabase = (path: string): Values | { readonly damage: string } | undefined =>
  existsSync(path) ? valuesOf(readFileSync(path)) : undefined;

/** Containers' environments hold secrets: neither the file nor its lock is for others to read. */
const forRootOnly = <T>(path: string, make: () => T): T => {
  const mask = process.umask(0o077);
  try {
    return make();
  } finally {
    process.umask(mask);
    for (const made of [path, `${path}-lock`]) if (existsSync(made)) chmodSync(made, 0o600);
  }
};

export class Database {
  readonly #values: Map<string, string>;
  #lmdb: RootDatabase<string, string> | undefined;
  /** sum of all that the file has, without the sum itself */
  #sum: bigint;
  /** nothing of `#values` is in the file as it should be */
  #rewrite: boolean;

  /** `rewrite`: the file does not have the values, or not in today's form; the next `write` writes all. */
  constructor(
    private readonly path: string,
    values: ReadonlyMap<string, string>,
    rewrite: boolean,
  ) {
    this.#values = new Map(values);
    this.#rewrite = rewrite;
    this.#sum = rewrite ? 0n : sumOf([...values].map(([key, json]) => seal(key, json)));
  }

  get incomplete(): boolean {
    return this.#rewrite;
  }

  get(key: string): string | undefined {
    return this.#values.get(key);
  }

  /** One transaction, on the disk when it returns. Throws what the disk says, and then nothing is changed. */
  write(entries: Iterable<Entry>): void {
    const changed = new Map<string, string | null>([...(this.#rewrite ? this.#values : []), ...entries]);
    let sum = this.#sum;
    const lmdb = this.#open();
    lmdb.transactionSync(() => {
      for (const [key, json] of changed) {
        const before = this.#rewrite ? undefined : this.#values.get(key);
        if (before !== undefined) sum ^= sumOf([seal(key, before)]);
        if (json === null) lmdb.removeSync(key);
        else {
          const sealed = seal(key, json);
          sum ^= sumOf([sealed]);
          lmdb.putSync(key, sealed);
        }
      }
      lmdb.putSync(SUM, seal(SUM, sum.toString(16)));
    });
    this.#sum = sum;
    this.#rewrite = false;
    for (const [key, json] of changed)
      if (json === null) this.#values.delete(key);
      else this.#values.set(key, json);
  }

  /** A copy of one moment, made on another thread; for root only. `to` must not be there. */
  async backup(to: string): Promise<void> {
    const mask = process.umask(0o077);
    const made = this.#open().backup(to, false);
    process.umask(mask);
    await made;
    chmodSync(to, 0o600);
  }

  async close(): Promise<void> {
    await this.#lmdb?.close();
  }

  /** Overlapping syncs would have lmdb look at a third meta page, in the middle of the first. */
  #open(): RootDatabase<string, string> {
    const { path } = this;
    this.#lmdb ??= forRootOnly(path, () => {
      // Where nothing of the file counts, none of it is to be mapped.
      return lmdb().open<string, string>({
        path,
        noSubdir: true,
        encoding: 'string',
        pageSize: PAGE,
        maxReaders: 16,
        overlappingSync: false,
      });
    });
    return this.#lmdb;
  }
}

/** Answers the path under which it lies now. */
export const setAside = (path: string): string => {
  const aside = `${path}.unreadable-${new Date().toISOString().replace(/[:.]/g, '-')}`;
  renameSync(path, aside);
  rmSync(`${path}-lock`, { force: true });
  return aside;
};
