/**
 * The record as versions kept it that had lmdb: a file of pages (`pages.ts`) with a checksum on each record and a sum over
 * all, two copies of it, and a journal. It is read once, at the first start that finds it, and set aside when its records
 * are on the disk in today's form. In its place lies a journal that those versions refuse to start on.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '../errors.js';
import { linesIn } from './lines.js';
import { readPages } from './pages.js';
import type { Places } from './place.js';
import { play, type Records, type StoredChange } from './records.js';
import { checksum, opened, SEALED } from './values.js';

/** The key under which the sum over all others lay. */
const SUM = 'setting/sum';
const GENERATION = 'setting/generation';

type Values = ReadonlyMap<string, string>;

/** JSON by key. Throws a sentence about what is wrong. Versions before the checksums wrote JSON alone. */
const unseal = (entries: readonly (readonly [string, string])[]): Values => {
  if (entries.every(([, text]) => !SEALED.test(text))) return new Map(entries);
  const values = new Map(entries.map(([key, text]) => [key, opened(key, text)]));
  let sum = BigInt(`0x${values.get(SUM) ?? '0'}`);
  values.delete(SUM);
  for (const [key, text] of entries) if (key !== SUM) sum ^= BigInt(`0x${text.slice(0, 16)}`);
  if (sum !== 0n) throw new Error('a record is missing, or older than the others');
  return values;
};

/** All that is in a file, or what is wrong with it. */
export const valuesOf = (file: Buffer): Values | string => {
  try {
    const values = unseal(readPages(file));
    for (const json of values.values()) JSON.parse(json);
    return values;
  } catch (error) {
    return messageOf(error);
  }
};

const generationOf = (values: Values): number => Number(JSON.parse(values.get(GENERATION) ?? '0'));

const recordsOf = (values: Values): Records => {
  const records: Records = new Map();
  for (const [key, json] of values) {
    const [table = '', id = ''] = key.split('/', 2);
    const value: unknown = JSON.parse(json);
    if (key !== GENERATION)
      play(records, [{ table, id, value: typeof value === 'object' ? value : { text: value } }]);
  }
  return records;
};

/** `+<generation> <boot> <kind> <checksum> <JSON>`; the versions before wrote no mark, and summed up the JSON alone. */
const LINE = /^\+?(\d{1,16}) ([0-9a-f-]{36}) ([ds]) ([0-9a-f]{16}) (.*)$/s;
const sumOf = (json: string): string => createHash('sha1').update(json).digest('hex').slice(0, 16);

/** Plays the lines that go on from this generation. Answers what is wrong with the rest. */
const playJournal = (path: string, generation: number, records: Records): string | undefined => {
  if (!existsSync(path)) return undefined;
  let ahead = false;
  const { at, end } = linesIn(readFileSync(path), (text) => {
    const [, now = '', boot = '', kind = '', sum, json = ''] = LINE.exec(text) ?? [];
    const whole = text.startsWith('+') ? checksum(now, boot, kind, json) : sumOf(json);
    if (sum !== whole) return false;
    ahead ||= Number(now) > generation;
    if (Number(now) === generation) play(records, JSON.parse(json) as readonly StoredChange[]); // they wrote it
    return true;
  });
  if (ahead) return 'the record is older than its journal';
  return at < end ? 'a line of the journal is not whole: it and what follows are not known' : undefined;
};

const JOURNAL = 'intent.tail';
const filesOf = ({ dataRoot, execRoot }: Places): readonly string[] => [
  join(dataRoot, 'intent.mdb'),
  join(dataRoot, 'intent.mdb-copy'),
  ...(execRoot === undefined ? [] : [join(execRoot, 'intent.mdb-copy')]),
];

/** Of the latest file that is whole, with the journal; none where there is no such file. */
export const readFormer = (places: Places, warn: (message: string) => void): readonly StoredChange[] => {
  const whole: Values[] = [];
  for (const path of filesOf(places).filter((file) => existsSync(file))) {
    const values = valuesOf(readFileSync(path));
    if (typeof values === 'string') warn(`the record in ${path} cannot be read: ${values}`);
    else whole.push(values);
  }
  const [latest] = whole.sort((a, b) => generationOf(b) - generationOf(a));
  if (!latest) return [];
  const records = recordsOf(latest);
  const wrong = playJournal(join(places.dataRoot, JOURNAL), generationOf(latest), records);
  if (wrong !== undefined) warn(wrong);
  return [...records.values()];
};

/**
 * A line that every version with a journal takes for a commit on an empty database: its JSON, which is none, is all that such
 * a version says, and it ends. No longer than what V8 shows of it whole.
 */
const MARKER = 'of a newer Viaduct';
const NO_BOOT = '00000000-0000-0000-0000-000000000000';

/** Once their records are on the disk. The copies go: a former version would begin with them. */
export const retireFormer = (places: Places): void => {
  const [own = '', ...copies] = filesOf(places);
  const journal = join(places.dataRoot, JOURNAL);
  if (![own, ...copies].some((path) => existsSync(path))) return;
  for (const path of [...copies, `${own}-lock`]) rmSync(path, { force: true });
  if (existsSync(journal)) renameSync(journal, `${journal}.former`);
  writeFileSync(journal, `0 ${NO_BOOT} d ${sumOf(MARKER)} ${MARKER}\n\0`, { mode: 0o600 });
  if (existsSync(own)) renameSync(own, `${own}.former`);
};
