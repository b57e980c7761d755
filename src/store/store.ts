/**
 * Durable intent: one lmdb file, one JSON value a record. A commit is one transaction and torn-write safe: 0.3 ms and
 * more with the disk, 0.02 ms without. A file that cannot be read is set aside, never silently replaced.
 */
import { closeSync, existsSync, mkdirSync, openSync, readSync, renameSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { open, type RootDatabase, type TransactionFlags } from 'lmdb';
import type { Container } from '../model/container.js';
import type { Endpoint, Sandbox } from '../model/endpoint.js';
import type { Network } from '../model/network.js';

export interface Records {
  readonly network: Network;
  readonly endpoint: Endpoint;
  readonly sandbox: Sandbox;
  readonly container: Container;
}

export type Table = keyof Records;
export const TABLES: readonly Table[] = ['network', 'endpoint', 'sandbox', 'container'];

/** One record set (`value`) or removed (`null`). */
export type Change = {
  [T in Table]: { readonly table: T; readonly id: string; readonly value: Records[T] | null };
}[Table];

export interface Store {
  load(): Iterable<Change>;
  /**
   * Outlives the daemon's death when it returns and, with `durable`, the machine's too. What is not durable is on disk
   * within `FLUSH_MS`, or with the next durable commit.
   */
  commit(changes: readonly Change[], durable: boolean): void;
  /** A small daemon-wide value (its own id, for one). */
  setting(key: string, fresh: () => string): string;
  close(): Promise<void>;
}

export interface OpenedStore {
  readonly store: Store;
  /** path under which an unreadable file was set aside; absent when all was well */
  readonly quarantined?: string;
}

/** lmdb-js's transaction flags: abortable and synchronous, its default; the same without waiting for the disk. */
const DURABLE = 3 as TransactionFlags; // a sum of flags, which the enum's type does not name
const SOFT = (3 | 0x10000) as TransactionFlags;
const FLUSH_MS = 500;

const PAGE = 4096;
/** `MDB_MAGIC`, behind the 24-byte page header of each of the first two pages, as lmdb-js lays them out. */
const MAGIC = 0xbeefc0de;
const HEADER = 24;

/**
 * lmdb maps the file: one that was cut short would kill the process with SIGBUS at the first touch of a missing page,
 * so the length is held against the meta pages' last page number before it is mapped.
 */
export const looksWhole = (path: string): boolean => {
  const size = statSync(path).size; // 0 too: an empty file is not an empty record
  if (size < 2 * PAGE) return false;
  const head = firstPages(path);
  const metas = [head.subarray(0, PAGE), head.subarray(PAGE)].filter((m) => m.readUInt32LE(HEADER) === MAGIC);
  if (metas.length === 0) return false;
  return metas.every((m) => (lastPage(m) + 1) * PAGE <= size);
};

const firstPages = (path: string): Buffer => {
  const fd = openSync(path, 'r');
  try {
    const head = Buffer.alloc(2 * PAGE);
    readSync(fd, head, 0, head.length, 0);
    return head;
  } finally {
    closeSync(fd);
  }
};

/** `mm_last_pg` of `struct MDB_meta` (64-bit): after magic, version, address, map size and two 48-byte databases. */
const lastPage = (meta: Buffer): number => Number(meta.readBigUInt64LE(HEADER + 4 + 4 + 8 + 8 + 48 + 48));

const database = (path: string): RootDatabase<unknown, string> =>
  open<unknown, string>({ path, noSubdir: true, encoding: 'json', pageSize: PAGE, maxReaders: 16 });

const setAside = (path: string): string => {
  const aside = `${path}.unreadable-${new Date().toISOString().replace(/[:.]/g, '-')}`;
  renameSync(path, aside);
  if (existsSync(`${path}-lock`)) renameSync(`${path}-lock`, `${aside}-lock`);
  return aside;
};

const readable = (path: string): boolean => {
  if (!existsSync(path)) return true;
  if (!looksWhole(path)) return false;
  try {
    const db = database(path);
    for (const _ of db.getRange({})) void _;
    void db.close();
    return true;
  } catch {
    return false;
  }
};

const isTable = (text: string): text is Table => (TABLES as readonly string[]).includes(text);

export const openStore = (path: string): OpenedStore => {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const quarantined = readable(path) ? undefined : setAside(path);
  const db = database(path);
  let flush: NodeJS.Timeout | undefined;
  /** lmdb-js opens a file after a power failure at its last flushed transaction, so one flush makes all before it safe. */
  const flushSoon = (): void => {
    flush ??= setTimeout(() => {
      flush = undefined;
      db.transactionSync(() => db.putSync('setting/flushed', String(Date.now())), DURABLE);
    }, FLUSH_MS).unref();
  };
  const store: Store = {
    *load() {
      for (const { key, value } of db.getRange({})) {
        const [table = '', id = ''] = key.split('/', 2);
        // The value was written by `commit` below under the same table's type.
        if (isTable(table)) yield { table, id, value } as Change;
      }
    },
    commit(changes, durable) {
      db.transactionSync(
        () => {
          for (const { table, id, value } of changes) {
            if (value === null) db.removeSync(`${table}/${id}`);
            else db.putSync(`${table}/${id}`, value);
          }
        },
        durable ? DURABLE : SOFT,
      );
      if (!durable) flushSoon();
    },
    setting(key, fresh) {
      const known = db.get(`setting/${key}`);
      if (typeof known === 'string') return known;
      const value = fresh();
      db.putSync(`setting/${key}`, value);
      return value;
    },
    async close() {
      clearTimeout(flush);
      await db.close();
    },
  };
  return quarantined === undefined ? { store } : { store, quarantined };
};
