/**
 * A tar stream's entries: ustar, GNU's long names, PAX. Names and values stay byte strings, so that what is no UTF-8 comes
 * out as it went in. Padding and end blocks may lack at the very end: Docker's client sends such archives.
 */
import { invalid } from '../../errors.js';
import type { Attributes } from '../attributes.js';

export type TarType =
  | 'file'
  | 'link'
  | 'symlink'
  | 'character-device'
  | 'block-device'
  | 'directory'
  | 'fifo';

export interface TarEntry {
  readonly name: string;
  readonly type: TarType;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  /** seconds since the epoch */
  readonly mtime: number;
  readonly linkname: string;
  readonly major: number;
  readonly minor: number;
  readonly attributes: Attributes;
}

const BLOCK = 512;
/** Of one extended header: a path and some attributes. */
const LONGEST_HEADER = 1 << 20;
const XATTR = 'SCHILY.xattr.';

const broken = (why: string, cause?: unknown) => invalid(`unexpected content in the archive: ${why}`, cause);

/** Bytes of a stream by count. */
interface Source {
  /** exactly so many; fewer only at the end */
  take(count: number): Promise<Buffer>;
  /** some, at most so many; empty at the end */
  some(most: number): Promise<Buffer>;
}

const sourceOf = (iterator: AsyncIterator<Uint8Array>): Source => {
  let rest: Buffer = Buffer.alloc(0);
  const fill = async (): Promise<boolean> => {
    while (rest.length === 0) {
      const next = await iterator.next();
      if (next.done) return false;
      rest = Buffer.from(next.value.buffer, next.value.byteOffset, next.value.byteLength);
    }
    return true;
  };
  const some = async (most: number): Promise<Buffer> => {
    if (!(await fill())) return rest;
    const part = rest.subarray(0, most);
    rest = rest.subarray(part.length);
    return part;
  };
  return {
    some,
    take: async (count) => {
      const parts: Buffer[] = [];
      for (let left = count; left > 0; ) {
        const part = await some(left);
        if (part.length === 0) break;
        parts.push(part);
        left -= part.length;
      }
      return parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts);
    },
  };
};

const padding = (size: number): number => (BLOCK - (size % BLOCK)) % BLOCK;

const textAt = (block: Buffer, at: number, length: number): string => {
  const end = block.subarray(at, at + length).indexOf(0);
  return block.toString('latin1', at, end < 0 ? at + length : at + end);
};

/** Octal digits, or with the first bit set a number of 256s (GNU, for what octal has no room for). */
const numberAt = (block: Buffer, at: number, length: number): number => {
  const first = block[at] ?? 0;
  if (first & 0x80) {
    if (first & 0x40) return 0; // negative: before 1970
    let value = BigInt(first & 0x3f);
    for (const byte of block.subarray(at + 1, at + length)) value = value * 256n + BigInt(byte);
    return Number(value);
  }
  const digits = textAt(block, at, length).trim();
  if (digits === '') return 0;
  if (!/^[0-7]+$/.test(digits)) throw broken(`invalid tar header (a number is ${JSON.stringify(digits)})`);
  return Number.parseInt(digits, 8);
};

/** The sum with its own field as spaces; some old writers added signed bytes. */
const checkSum = (block: Buffer): void => {
  let [plain, signed] = [0, 0];
  block.forEach((byte, at) => {
    const value = at >= 148 && at < 156 ? 32 : byte;
    plain += value;
    signed += value > 127 ? value - 256 : value;
  });
  const said = numberAt(block, 148, 8);
  if (said !== plain && said !== signed) throw broken('invalid tar header');
};

/** `length key=value\n`, as often as there are. */
const paxRecords = (bytes: Buffer): Map<string, Buffer> => {
  const records = new Map<string, Buffer>();
  for (let at = 0; at < bytes.length && bytes[at] !== 0; ) {
    const space = bytes.indexOf(32, at);
    const length = Number.parseInt(bytes.toString('latin1', at, space), 10);
    const equals = bytes.indexOf(61, space);
    if (!(length > 0) || equals < 0 || equals >= at + length) throw broken('invalid PAX record');
    records.set(bytes.toString('latin1', space + 1, equals), bytes.subarray(equals + 1, at + length - 1));
    at += length;
  }
  return records;
};

const TYPES: Readonly<Record<string, TarType>> = {
  '0': 'file',
  '\0': 'file',
  '7': 'file',
  '1': 'link',
  '2': 'symlink',
  '3': 'character-device',
  '4': 'block-device',
  '5': 'directory',
  '6': 'fifo',
};

/** What headers before an entry said of it. */
interface Extended {
  readonly pax: ReadonlyMap<string, Buffer>;
  readonly name?: string;
  readonly linkname?: string;
}

const nameOf = (block: Buffer): string => {
  const name = textAt(block, 0, 100);
  const prefix = block.toString('latin1', 257, 263) === 'ustar\0' ? textAt(block, 345, 155) : '';
  return prefix === '' ? name : `${prefix}/${name}`;
};

const attributesOf = (pax: ReadonlyMap<string, Buffer>): Attributes =>
  new Map(
    [...pax].flatMap(([key, value]) =>
      key.startsWith(XATTR) ? [[key.slice(XATTR.length), value] as const] : [],
    ),
  );

const entryOf = (block: Buffer, { pax, name: longName, linkname }: Extended): TarEntry => {
  const flag = String.fromCharCode(block[156] ?? 0);
  const text = (key: string): string | undefined => pax.get(key)?.toString('latin1');
  const number = (key: string, otherwise: number): number => Number(text(key) ?? otherwise);
  const name = text('path') ?? longName ?? nameOf(block);
  const type = TYPES[flag];
  if (!type || text('GNU.sparse.major') !== undefined || text('GNU.sparse.map') !== undefined)
    throw broken(`unhandled tar header type ${JSON.stringify(type ? 'sparse' : flag)}`);
  const isDirectory = type === 'directory' || (type === 'file' && name.endsWith('/'));
  const size = number('size', numberAt(block, 124, 12));
  if (!(Number.isSafeInteger(size) && size >= 0)) throw broken('invalid size');
  return {
    name,
    type: isDirectory ? 'directory' : type,
    mode: numberAt(block, 100, 8) & 0o7777,
    uid: number('uid', numberAt(block, 108, 8)),
    gid: number('gid', numberAt(block, 116, 8)),
    size: type === 'file' && !isDirectory ? size : 0,
    mtime: number('mtime', numberAt(block, 136, 12)),
    linkname: text('linkpath') ?? linkname ?? textAt(block, 157, 100),
    major: numberAt(block, 329, 8),
    minor: numberAt(block, 337, 8),
    attributes: attributesOf(pax),
  };
};

const isZero = (block: Buffer): boolean => block.every((byte) => byte === 0);

/** The data of one entry, all of them, whether somebody wants them or not. */
async function* dataOf(source: Source, size: number): AsyncGenerator<Buffer> {
  for (let left = size; left > 0; ) {
    const part = await source.some(left);
    if (part.length === 0) throw broken('it ends too early');
    left -= part.length;
    yield part;
  }
}

const NONE: Extended = { pax: new Map() };

/** Each entry's data are to be read before the next is asked for; what is left of them is passed over. */
export async function* readTar(
  stream: AsyncIterable<Uint8Array>,
): AsyncGenerator<{ readonly entry: TarEntry; readonly data: AsyncIterable<Buffer> }> {
  const iterator = stream[Symbol.asyncIterator]();
  const source = sourceOf(iterator);
  let globals: ReadonlyMap<string, Buffer> = NONE.pax;
  let extended = NONE;
  try {
    for (;;) {
      const block = await source.take(BLOCK);
      if (block.length === 0) return;
      if (isZero(block)) continue;
      if (block.length < BLOCK) throw broken('it ends too early');
      checkSum(block);
      const flag = String.fromCharCode(block[156] ?? 0);
      if ('xgLK'.includes(flag)) {
        const size = numberAt(block, 124, 12);
        if (size > LONGEST_HEADER) throw broken('an extended header is too long');
        const bytes = await source.take(size);
        if (bytes.length < size) throw broken('it ends too early');
        await source.take(padding(size));
        if (flag === 'g') globals = new Map([...globals, ...paxRecords(bytes)]);
        else if (flag === 'x') extended = { ...extended, pax: paxRecords(bytes) };
        else if (flag === 'L') extended = { ...extended, name: textAt(bytes, 0, size) };
        else extended = { ...extended, linkname: textAt(bytes, 0, size) };
        continue;
      }
      const entry = entryOf(block, { ...extended, pax: new Map([...globals, ...extended.pax]) });
      extended = NONE;
      const data = dataOf(source, entry.size);
      yield { entry, data };
      for await (const _ of data);
      await source.take(padding(entry.size));
    }
  } finally {
    await iterator.return?.();
  }
}
