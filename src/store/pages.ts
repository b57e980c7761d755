/**
 * An lmdb file, read by us and to its last pointer before lmdb maps it: a mapped file is believed, so one damaged byte could
 * end the process (SIGSEGV, SIGBUS) or lead a later write over what is in use. Everything that lmdb follows is checked: both
 * meta pages, the trees of the free pages and of the records (that their pages are what they say, in order, there, counted,
 * each used once), and that no page counts as free that is in use. The values have checksums of their own (`values.ts`).
 * Layout: `struct MDB_meta`, `MDB_page` and `MDB_node` of `mdb.c` as lmdb-js 3 has it (64-bit, little-endian).
 */
export const PAGE = 4096;
/** Page number, transaction (both 64 bits), padding; then `mp_flags`, `pb_lower` and `pb_upper`, or `pb_pages`. */
const HEADER = 24;
const AT = { txn: 8, pad: 16, flags: 18, lower: 20, upper: 22, pages: 20 } as const;
const KIND = { branch: 0x01, leaf: 0x02, overflow: 0x04, meta: 0x08 } as const;
/** Of a node: the low and the high half of its size, `mn_flags`, the key's length; then the key. */
const NODE = 8;
/** `F_BIGDATA`: the value lies on pages of its own. */
const BIG = 0x01;

/** `MDB_MAGIC`, `MDB_DATA_VERSION`, `MDB_INTEGERKEY | MDB_NOSUBDIR`. */
const [MAGIC, VERSION, FREE_FLAGS] = [0xbeefc0de, 2, 0x4008];
/** Behind the meta page's header: magic, version, address (64 bits), size of the map, two trees, last page, transaction. */
const META = { address: 8, map: 16, trees: 24, last: 120, txn: 128 } as const;
/** `MDB_db`: padding (of the free pages' tree: the page size), flags, depth; then five counts and the root, 64 bits each. */
const TREE = {
  size: 48,
  flags: 4,
  depth: 6,
  branches: 8,
  leaves: 16,
  overflows: 24,
  entries: 32,
  root: 40,
} as const;
const EMPTY = 0xffffffffffffffffn;
/** More than any record will ever have, and less than what could not be mapped. */
const LARGEST_MAP = 2 ** 52;

/** What is wrong with the file, in words for the log. */
class Damage extends Error {}
const check = (whole: boolean, what: string): void => {
  if (!whole) throw new Damage(what);
};

interface Tree {
  readonly branches: number;
  readonly leaves: number;
  readonly overflows: number;
  readonly entries: number;
  readonly depth: number;
  /** undefined: empty */
  readonly root: number | undefined;
}

interface Meta {
  readonly txn: number;
  readonly last: number;
  readonly map: number;
  readonly free: Tree;
  readonly records: Tree;
}

/** A number that is exact, or the file is damaged. */
const u64 = (file: Buffer, at: number): number => {
  const value = file.readBigUInt64LE(at);
  check(value <= BigInt(Number.MAX_SAFE_INTEGER), `a number at byte ${at} is too large`);
  return Number(value);
};

const treeAt = (file: Buffer, at: number): Tree => ({
  depth: file.readUInt16LE(at + TREE.depth),
  branches: u64(file, at + TREE.branches),
  leaves: u64(file, at + TREE.leaves),
  overflows: u64(file, at + TREE.overflows),
  entries: u64(file, at + TREE.entries),
  root: file.readBigUInt64LE(at + TREE.root) === EMPTY ? undefined : u64(file, at + TREE.root),
});

const metaAt = (file: Buffer, page: number): Meta => {
  const head = Buffer.alloc(HEADER);
  head.writeUInt8(page, 0);
  head.writeUInt8(KIND.meta, AT.flags);
  const at = page * PAGE + HEADER;
  check(file.subarray(at - HEADER, at).equals(head), `page ${page} is no meta page`);
  check(
    file.readUInt32LE(at) === MAGIC && file.readUInt32LE(at + 4) === VERSION,
    `meta page ${page} is not lmdb’s`,
  );
  check(file.readBigUInt64LE(at + META.address) === 0n, `meta page ${page} names an address`);
  const [free, records] = [at + META.trees, at + META.trees + TREE.size];
  const shape = [free, free + TREE.flags, records, records + TREE.flags].map((field) =>
    file.readUInt16LE(field),
  );
  check(
    shape.join() === [PAGE, FREE_FLAGS, 0, 0].join() &&
      file.readUInt32LE(free) === PAGE &&
      file.readUInt32LE(records) === 0,
    `meta page ${page} has another shape`,
  );
  const meta = {
    txn: u64(file, at + META.txn),
    last: u64(file, at + META.last),
    map: u64(file, at + META.map),
    free: treeAt(file, free),
    records: treeAt(file, records),
  };
  check(
    meta.map % PAGE === 0 && meta.map <= LARGEST_MAP && meta.last >= 1 && (meta.last + 1) * PAGE <= meta.map,
    `meta page ${page} has no plausible size`,
  );
  return meta;
};

/** One node of a page. */
interface Node {
  readonly key: Buffer;
  /** low half, high half and flags together are a branch's child, 48 bits */
  readonly at: number;
}

/** A walk through one state of the file, which gathers what every page is used for. */
class Walk {
  readonly #used = new Map<number, string>();

  constructor(
    private readonly file: Buffer,
    private readonly meta: Meta,
  ) {}

  /** The pages are there and used for this alone. */
  use(first: number, count: number, what: string): void {
    const { last } = this.meta;
    check(
      first >= 2 && count >= 1 && first + count - 1 <= last,
      `${what} leads out of the file (page ${first})`,
    );
    for (let page = first; page < first + count; page += 1) {
      check(!this.#used.has(page), `page ${page} is used twice`);
      this.#used.set(page, what);
    }
  }

  /** All of the tree in the order of its keys. */
  entries(
    tree: Tree,
    what: string,
    order: (a: Buffer, b: Buffer) => number,
  ): readonly (readonly [Buffer, Buffer])[] {
    const found: [Buffer, Buffer][] = [];
    const counts = { branches: 0, leaves: 0, overflows: 0 };
    let before: Buffer | undefined;
    const overflow = (page: number, size: number): Buffer => {
      const count = Math.ceil((HEADER + size) / PAGE);
      this.#page(page, KIND.overflow, count, what);
      check(this.file.readUInt32LE(page * PAGE + AT.pages) === count, `page ${page} has another length`);
      counts.overflows += count;
      return this.file.subarray(page * PAGE + HEADER, page * PAGE + HEADER + size);
    };
    const leaf = (page: number): void => {
      counts.leaves += 1;
      for (const { key, at } of this.#nodes(page, KIND.leaf)) {
        check(before === undefined || order(before, key) < 0, `the keys of page ${page} are out of order`);
        before = key;
        const size = this.file.readUInt32LE(at);
        const data = at + NODE + key.length;
        const isBig = (this.file.readUInt16LE(at + 4) & BIG) !== 0;
        found.push([
          key,
          isBig ? overflow(u64(this.file, data), size) : this.file.subarray(data, data + size),
        ]);
      }
    };
    const walk = (page: number, depth: number): void => {
      check(depth <= tree.depth, `${what}: too deep at page ${page}`);
      this.#page(page, depth === tree.depth ? KIND.leaf : KIND.branch, 1, what);
      if (depth === tree.depth) {
        leaf(page);
        return;
      }
      counts.branches += 1;
      this.#nodes(page, KIND.branch).forEach(({ key, at }, index) => {
        const first = found.length;
        const bounded = index > 0;
        check(!bounded || (before !== undefined && order(before, key) < 0), `page ${page} leads astray`);
        walk(this.file.readUIntLE(at, 6), depth + 1);
        const [least] = found[first] ?? [];
        check(!bounded || (least !== undefined && order(key, least) <= 0), `page ${page} leads astray`);
      });
    };
    if (tree.root === undefined) check(tree.depth === 0, `${what}: no root`);
    else walk(tree.root, 1);
    const counted = { ...counts, entries: found.length };
    for (const name of ['branches', 'leaves', 'overflows', 'entries'] as const)
      check(
        counted[name] === tree[name],
        `${what}: ${counted[name]} ${name}, and ${tree[name]} by the meta page`,
      );
    return found;
  }

  #page(page: number, kind: number, count: number, what: string): void {
    this.use(page, count, what);
    const at = page * PAGE;
    check(at + count * PAGE <= this.file.length, `page ${page} is missing`);
    check(
      u64(this.file, at) === page &&
        this.file.readUInt16LE(at + AT.pad) === 0 &&
        this.file.readUInt16LE(at + AT.flags) === kind,
      `page ${page} is not what it should be`,
    );
    check(u64(this.file, at + AT.txn) <= this.meta.txn, `page ${page} is of a later state`);
  }

  /** The nodes lie in what the page says is used, none over another. */
  #nodes(page: number, kind: number): readonly Node[] {
    const at = page * PAGE;
    const [lower, upper] = [this.file.readUInt16LE(at + AT.lower), this.file.readUInt16LE(at + AT.upper)];
    const room = PAGE - HEADER;
    check(
      lower > 0 && lower % 2 === 0 && lower <= upper && upper <= room,
      `page ${page} has no plausible bounds`,
    );
    const places: (readonly [from: number, to: number])[] = [];
    const nodes = Array.from({ length: lower / 2 }, (_, index): Node => {
      const offset = this.file.readUInt16LE(at + HEADER + 2 * index);
      check(offset >= upper && offset % 2 === 0 && offset + NODE <= room, `page ${page} has a node outside`);
      const node = at + HEADER + offset;
      const length = this.file.readUInt16LE(node + 6);
      const size = kind === KIND.leaf ? this.#sizeOf(node, page) : 0;
      check(offset + NODE + length + size <= room, `page ${page} has a node that is too long`);
      places.push([offset, offset + NODE + length + size]);
      return { key: this.file.subarray(node + NODE, node + NODE + length), at: node };
    });
    places.sort(([a], [b]) => a - b);
    check(
      places.every(([from], index) => from >= (places[index - 1]?.[1] ?? 0)),
      `page ${page} has two nodes in one place`,
    );
    return nodes;
  }

  /** Bytes of a leaf's value that lie in the page. */
  #sizeOf(node: number, page: number): number {
    const flags = this.file.readUInt16LE(node + 4);
    check(flags === 0 || flags === BIG, `page ${page} has a node of an unknown kind`);
    return flags === BIG ? 8 : this.file.readUInt32LE(node);
  }
}

const byText = (a: Buffer, b: Buffer): number => a.compare(b);
const byNumber = (a: Buffer, b: Buffer): number => {
  check(b.length === 8, 'a list of free pages has no number');
  return u64(a, 0) - u64(b, 0);
};

/** A count, then page numbers; in front of one may stand how many pages follow each other, negative. 0: nothing there. */
const useFree = (walk: Walk, meta: Meta, key: Buffer, list: Buffer): void => {
  check(key.length === 8 && u64(key, 0) <= meta.txn, 'a list of free pages is of a later state');
  check(list.length >= 8 && list.length % 8 === 0, 'a list of free pages has no length');
  const length = u64(list, 0);
  check((length + 1) * 8 <= list.length, 'a list of free pages is longer than its place');
  let run = 1;
  for (let n = 1; n <= length; n += 1) {
    const value = Number(list.readBigInt64LE(8 * n));
    check(run === 1 || value > 0, 'a list of free pages has a run of nothing');
    if (value > 0) walk.use(value, run, 'a list of free pages');
    run = value < 0 ? -value : 1;
  }
};

export type Found =
  | { readonly entries: readonly (readonly [key: string, value: Buffer])[] }
  /** what is wrong, for the log */
  | { readonly damage: string };

const readMetas = (file: Buffer): Meta => {
  check(file.length >= 2 * PAGE, 'the file is cut short');
  const [even, odd] = [metaAt(file, 0), metaAt(file, 1)];
  if (even.txn === 0 && odd.txn === 0) return even; // made, and never written to
  const newest = even.txn > odd.txn ? even : odd;
  // A transaction writes the page of its own parity, so the other page is of the one before.
  check(
    Math.abs(even.txn - odd.txn) === 1 && even.txn % 2 === 0,
    `the meta pages are of transactions ${even.txn} and ${odd.txn}`,
  );
  return newest;
};

/** Reads the whole file. Never throws. */
export const readPages = (file: Buffer): Found => {
  try {
    const meta = readMetas(file);
    const walk = new Walk(file, meta);
    const entries = walk.entries(meta.records, 'records', byText);
    for (const [key, list] of walk.entries(meta.free, 'free pages', byNumber)) useFree(walk, meta, key, list);
    return { entries: entries.map(([key, value]) => [key.toString('utf8'), value]) };
  } catch (error) {
    if (error instanceof Damage) return { damage: error.message };
    if (error instanceof RangeError) return { damage: 'it leads out of itself' };
    throw error;
  }
};
