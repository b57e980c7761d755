/**
 * Does an lmdb file have every page that its trees lead to? Read, not mapped: a mapped file that was cut short would kill
 * the process with SIGBUS at the first touch of a missing page. The length alone does not tell: pages that a transaction
 * took and gave back again are counted in the meta page and never written, so a healthy file may be shorter than it says.
 * Offsets: `struct MDB_meta`, `MDB_page` and `MDB_node` as lmdb-js 3 lays them out (64-bit, little-endian).
 */
import { closeSync, openSync, readFileSync, readSync, statSync } from 'node:fs';

export const PAGE = 4096;
/** `MDB_MAGIC`, behind the header of each of the first two pages. */
const MAGIC = 0xbeefc0de;
/** Page number, transaction, padding; `mp_flags` at 18, `pb_lower` or `pb_pages` at 20. */
const HEADER = 24;
const FLAGS_AT = 18;
const COUNT_AT = 20;
const [BRANCH, LEAF, OVERFLOW] = [0x01, 0x02, 0x04];
/** `F_BIGDATA`: the value lies on pages of its own. */
const BIG = 0x01;
/** `MDB_db.md_root` of the free list and of the records: after magic, version, address and map size. */
const TREE = 48;
const ROOTS_AT = [0, 1].map((n) => HEADER + 4 + 4 + 8 + 8 + n * TREE + 40);
/** `mm_last_pg`: after the two trees. */
const LAST_AT = HEADER + 4 + 4 + 8 + 8 + 2 * TREE;
const EMPTY = 0xffffffffffffffffn;

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

/** Where the page's nodes begin; `pb_lower` is what their offsets take, and those count from behind the header. */
const nodesOf = (file: Buffer, at: number): readonly number[] =>
  Array.from(
    { length: file.readUInt16LE(at + COUNT_AT) / 2 },
    (_, n) => at + HEADER + file.readUInt16LE(at + HEADER + 2 * n),
  );

/** The pages of a value too large for a leaf: the first says how many they are. */
const hasValue = (file: Buffer, node: number): boolean => {
  if ((file.readUInt16LE(node + 4) & BIG) === 0) return true;
  const at = Number(file.readBigUInt64LE(node + 8 + file.readUInt16LE(node + 6))) * PAGE;
  const isThere = at + PAGE <= file.length && file.readUInt16LE(at + FLAGS_AT) === OVERFLOW;
  return isThere && at + file.readUInt32LE(at + COUNT_AT) * PAGE <= file.length;
};

const hasTree = (file: Buffer, page: number): boolean => {
  const at = page * PAGE;
  if (at + PAGE > file.length || Number(file.readBigUInt64LE(at)) !== page) return false;
  const flags = file.readUInt16LE(at + FLAGS_AT);
  if (flags & LEAF) return nodesOf(file, at).every((node) => hasValue(file, node));
  // A branch's node begins with the 48 bits of its child's page number.
  return (flags & BRANCH) !== 0 && nodesOf(file, at).every((node) => hasTree(file, file.readUIntLE(node, 6)));
};

const hasTrees = (file: Buffer, meta: Buffer): boolean => {
  const roots = ROOTS_AT.map((at) => meta.readBigUInt64LE(at)).filter((root) => root !== EMPTY);
  try {
    return roots.every((root) => hasTree(file, Number(root)));
  } catch {
    return false; // an offset that leads nowhere
  }
};

/** The trees are walked only where the file is shorter than a meta page says. */
export const looksWhole = (path: string): boolean => {
  const size = statSync(path).size; // 0 too: an empty file is not an empty record
  if (size < 2 * PAGE) return false;
  const head = firstPages(path);
  const metas = [head.subarray(0, PAGE), head.subarray(PAGE)].filter((m) => m.readUInt32LE(HEADER) === MAGIC);
  const short = metas.filter((meta) => (Number(meta.readBigUInt64LE(LAST_AT)) + 1) * PAGE > size);
  if (short.length === 0) return metas.length > 0;
  const file = readFileSync(path);
  return short.every((meta) => hasTrees(file, meta));
};
