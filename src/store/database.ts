/** The lmdb file: opened for root only, and told apart from one that was damaged before lmdb touches it. */
import { chmodSync, closeSync, existsSync, openSync, readSync, renameSync, statSync } from 'node:fs';
import { open, type RootDatabase } from 'lmdb';

export type Database = RootDatabase<unknown, string>;

const PAGE = 4096;
/** `MDB_MAGIC`, behind the 24-byte page header of each of the first two pages, as lmdb-js lays them out. */
const MAGIC = 0xbeefc0de;
const HEADER = 24;

export const openDatabase = (path: string): Database =>
  forRootOnly(path, () =>
    open<unknown, string>({ path, noSubdir: true, encoding: 'json', pageSize: PAGE, maxReaders: 16 }),
  );

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

/** True where there is none, too. */
export const readable = (path: string): boolean => {
  if (!existsSync(path)) return true;
  if (!looksWhole(path)) return false;
  try {
    const db = openDatabase(path);
    for (const _ of db.getRange({})) void _;
    void db.close();
    return true;
  } catch {
    return false;
  }
};

/** Answers the path under which it lies now. */
export const setAside = (path: string): string => {
  const aside = `${path}.unreadable-${new Date().toISOString().replace(/[:.]/g, '-')}`;
  renameSync(path, aside);
  if (existsSync(`${path}-lock`)) renameSync(`${path}-lock`, `${aside}-lock`);
  return aside;
};
