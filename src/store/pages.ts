/**
 * The records in an lmdb file, for `former.ts`. Nothing of the file is believed: it is read to its last pointer, each page
 * once, and what does not fit is damage. The values have checksums of their own, so only what would hide a record is looked at
 * closely: both meta pages, since of two states the older is whole as well, and that there are as many as there should be.
 * Layout: `struct MDB_meta`, `MDB_page` and `MDB_node` of `mdb.c` as lmdb-js 3 has it (64-bit, little-endian).
 */
const PAGE = 4096;
/** Page number, transaction (both 64 bits), padding; then `mp_flags` and `pb_lower`. */
const HEADER = 24;
const AT = { txn: 8, flags: 18, lower: 20 } as const;
const KIND = { branch: 0x01, leaf: 0x02, overflow: 0x04, meta: 0x08 } as const;
/** Of a node: the low and the high half of its size (of a branch: its child), `mn_flags`, the key's length; then the key. */
const NODE = { size: 0, flags: 4, key: 6, length: 8 } as const;
/** `F_BIGDATA`: the value lies on pages of its own. */
const BIG = 0x01;
/** `MDB_MAGIC`, `MDB_DATA_VERSION`. */
const [MAGIC, VERSION] = [0xbeefc0de, 2];
/** Behind the meta page's header: magic, version, address, size of the map, two trees of which the second has the records, last page, transaction. */
const META = { version: 4, entries: 104, root: 112, txn: 128 } as const;
const EMPTY = 0xffffffffffffffffn;

/** Throws what is wrong with the file, in words for the log. */
const check = (whole: boolean, what: string): void => {
  if (!whole) throw new Error(what);
};

/** As a number; one that is too large leads nowhere. */
const u64 = (file: Buffer, at: number): number => Number(file.readBigUInt64LE(at));

const kindOf = (file: Buffer, page: number): number => {
  check(u64(file, page * PAGE) === page, `page ${page} is not what it should be`);
  return file.readUInt16LE(page * PAGE + AT.flags);
};

const metaAt = (file: Buffer, page: number) => {
  const at = page * PAGE + HEADER;
  const isMeta = kindOf(file, page) === KIND.meta && file.readUInt32LE(at) === MAGIC;
  check(isMeta && file.readUInt32LE(at + META.version) === VERSION, `meta page ${page} is not lmdb’s`);
  return {
    txn: u64(file, at + META.txn),
    entries: u64(file, at + META.entries),
    root: file.readBigUInt64LE(at + META.root),
  };
};

const latestMeta = (file: Buffer) => {
  const [even, odd] = [metaAt(file, 0), metaAt(file, 1)];
  // A transaction writes the page of its own parity, so the other page is of the one before. None: made, and never written to.
  const apart = Math.abs(even.txn - odd.txn);
  const fits = even.txn % 2 === 0 && (apart === 1 || (even.txn === 0 && odd.txn === 0));
  check(fits, `the meta pages are of transactions ${even.txn} and ${odd.txn}`);
  return even.txn > odd.txn ? even : odd;
};

/** Key and value of each. Throws where something is wrong. */
export const readPages = (file: Buffer): readonly (readonly [key: string, value: string])[] => {
  const { entries, root, txn } = latestMeta(file);
  const found: [string, string][] = [];
  const seen = new Set<number>();
  const leaf = (node: number): void => {
    const [size, key] = [file.readUInt32LE(node), file.readUInt16LE(node + NODE.key)];
    const data = node + NODE.length + key;
    const isBig = (file.readUInt16LE(node + NODE.flags) & BIG) !== 0;
    const from = isBig ? u64(file, data) * PAGE + HEADER : data;
    found.push([file.toString('utf8', node + NODE.length, data), file.toString('utf8', from, from + size)]);
  };
  const walk = (page: number): void => {
    check(!seen.has(page), `page ${page} is used twice`);
    seen.add(page);
    const kind = kindOf(file, page);
    check(kind === KIND.leaf || kind === KIND.branch, `page ${page} is not what it should be`);
    const nodes = file.readUInt16LE(page * PAGE + AT.lower) / 2;
    for (let n = 0; n < nodes; n += 1) {
      const node = page * PAGE + HEADER + file.readUInt16LE(page * PAGE + HEADER + 2 * n);
      if (kind === KIND.leaf) leaf(node);
      else walk(file.readUIntLE(node, 6));
    }
  };
  if (root !== EMPTY) {
    check(u64(file, Number(root) * PAGE + AT.txn) === txn, 'it leads to an older state');
    walk(Number(root));
  }
  check(found.length === entries, `there are ${found.length} records, and should be ${entries}`);
  return found;
};
