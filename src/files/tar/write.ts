/** Headers of tar entries: ustar where it has room, PAX where it has not. */
import type { TarEntry, TarType } from './read.js';

const BLOCK = 512;
const FLAGS: Readonly<Record<TarType, string>> = {
  file: '0',
  link: '1',
  symlink: '2',
  'character-device': '3',
  'block-device': '4',
  directory: '5',
  fifo: '6',
};

/** Zeros after so many bytes of data. */
export const padded = (size: number): Buffer => Buffer.alloc((BLOCK - (size % BLOCK)) % BLOCK);
export const END = Buffer.alloc(2 * BLOCK);

const octal = (value: number, digits: number): string =>
  value.toString(8).padStart(digits, '0').slice(-digits);

const LARGEST_ID = 0o7777777;
const LARGEST_SIZE = 0o77777777777;

/** A path of up to 255 bytes is cut at a slash; undefined where none is in the right place. */
const splitName = (name: string): readonly [prefix: string, name: string] | undefined => {
  if (name.length <= 100) return ['', name];
  const slash = name.indexOf('/', name.length - 101);
  return slash > 0 && slash <= 155 && slash < name.length - 1
    ? [name.slice(0, slash), name.slice(slash + 1)]
    : undefined;
};

const block = (entry: TarEntry, flag: string, name: readonly [string, string]): Buffer => {
  const bytes = Buffer.alloc(BLOCK);
  const put = (at: number, text: string, length: number) => bytes.write(text.slice(0, length), at, 'latin1');
  put(0, name[1], 100);
  put(100, octal(entry.mode, 7), 8);
  put(108, octal(Math.min(entry.uid, LARGEST_ID), 7), 8);
  put(116, octal(Math.min(entry.gid, LARGEST_ID), 7), 8);
  put(124, octal(Math.min(entry.size, LARGEST_SIZE), 11), 12);
  put(136, octal(Math.max(0, Math.floor(entry.mtime)), 11), 12);
  put(148, '        ', 8);
  put(156, flag, 1);
  put(157, entry.linkname, 100);
  put(257, 'ustar\x0000', 8);
  put(329, octal(entry.major, 7), 8);
  put(337, octal(entry.minor, 7), 8);
  put(345, name[0], 155);
  let sum = 0;
  for (const byte of bytes) sum += byte;
  put(148, `${octal(sum, 6)}\0 `, 8);
  return bytes;
};

/** `length key=value\n`, where the length counts itself. */
const record = (key: string, value: Buffer): Buffer => {
  const rest = Buffer.concat([Buffer.from(` ${key}=`, 'latin1'), value, Buffer.from('\n')]);
  let length = rest.length;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return Buffer.concat([Buffer.from(String(length)), rest]);
};

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');
const isPlain = (text: string): boolean => !/[\x80-\xff]/.test(text);

const paxRecords = (entry: TarEntry, name: readonly [string, string] | undefined): readonly Buffer[] => [
  ...(name && isPlain(entry.name) ? [] : [record('path', bytes(entry.name))]),
  ...(entry.linkname.length <= 100 && isPlain(entry.linkname)
    ? []
    : [record('linkpath', bytes(entry.linkname))]),
  ...(entry.uid > LARGEST_ID ? [record('uid', bytes(String(entry.uid)))] : []),
  ...(entry.gid > LARGEST_ID ? [record('gid', bytes(String(entry.gid)))] : []),
  ...(entry.size > LARGEST_SIZE ? [record('size', bytes(String(entry.size)))] : []),
  ...[...entry.attributes].map(([key, value]) => record(`SCHILY.xattr.${key}`, value)),
];

/** The name of a directory ends with a slash. */
export const headerOf = (entry: TarEntry): Buffer => {
  const name = splitName(entry.name);
  const records = paxRecords(entry, name);
  const own = block(entry, FLAGS[entry.type], name ?? ['', entry.name.slice(-100)]);
  if (records.length === 0) return own;
  const pax = Buffer.concat(records);
  const announced = { ...entry, size: pax.length, linkname: '', major: 0, minor: 0 };
  return Buffer.concat([block(announced, 'x', ['', 'PaxHeaders']), pax, padded(pax.length), own]);
};
