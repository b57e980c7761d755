/**
 * A directory that holds the record: a snapshot and the tail that goes on from it, both named by the commit at which they
 * begin; while the next snapshot is written, the next tail too. Copies are directories of the very same files.
 */
import { closeSync, existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { copyFile, mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { defined } from '../defined.js';
import { BEGINNING, commitsIn, damageOf, type Point } from './lines.js';
import { play, type Records, type StoredChange } from './records.js';
import { inPlace, onDisk, parseSnapshot, type Snapshot, writeSnapshot } from './snapshot.js';
import { beginTail, tailPath } from './tail-file.js';

export interface Places {
  readonly dataRoot: string;
  /** a directory that does not outlive the machine */
  readonly execRoot?: string;
}

export const snapshotPath = (directory: string, seq: number): string => join(directory, `${seq}.snapshot`);

/** Numbers of the files of one kind, the latest first. */
const numbers = (names: readonly string[], kind: 'snapshot' | 'tail'): readonly number[] =>
  names
    .flatMap((name) => (/^[0-9]+$/.test(name.replace(`.${kind}`, '')) ? [Number.parseInt(name, 10)] : []))
    .sort((a, b) => b - a);

/** What a directory holds, as far as it is whole. */
export interface Found {
  readonly directory: string;
  readonly records: Records;
  readonly point: Point;
  /** of the snapshot: its name, its bytes */
  readonly seq: number;
  readonly length: number;
  /** names of the tails up to the one to go on in, and where in it */
  readonly tails: readonly number[];
  readonly end: number;
  /** what is wrong with what follows */
  readonly damage?: string;
}

/** Each must go on where the one before it ends. */
const playTails = (directory: string, snapshot: Snapshot, tails: readonly number[]) => {
  const records: Records = new Map();
  play(records, snapshot.records);
  const played: number[] = [];
  let { point } = snapshot;
  let end = 0;
  let damage = tails.length === 0 ? 'its journal is missing' : undefined;
  for (const tail of tails) {
    if (tail !== point.seq) {
      damage ??= 'a part of its journal is missing';
      break;
    }
    const all = readFileSync(tailPath(directory, tail));
    const lines = commitsIn<readonly StoredChange[]>(all, point);
    for (const changes of lines.commits) play(records, changes);
    damage = damageOf(all, lines); // which is nothing where the next tail goes on from here
    ({ point, at: end } = lines);
    played.push(tail);
  }
  const going = played.length > 0 ? played : [snapshot.point.seq];
  return defined({ records, point, end, tails: going, damage });
};

/** A sentence: why nothing of it can be read. undefined: there is none. Throws where a later version wrote it. */
export const readPlace = (directory: string): Found | string | undefined => {
  const names = existsSync(directory) ? readdirSync(directory) : [];
  const [seq] = numbers(names, 'snapshot');
  const tails = numbers(names, 'tail').filter((number) => number >= (seq ?? 0));
  if (seq === undefined) return tails.length > 0 ? 'its snapshot is missing' : undefined;
  const file = readFileSync(snapshotPath(directory, seq));
  const snapshot = parseSnapshot(file);
  if (typeof snapshot === 'string') return snapshot;
  if (snapshot.point.seq !== seq) return 'its snapshot is of another moment';
  return { directory, seq, length: file.length, ...playTails(directory, snapshot, tails.toReversed()) };
};

/** A record of nothing. */
export const makePlace = (directory: string): Promise<void> =>
  inPlace(directory, async (fresh) => {
    await mkdir(fresh, { recursive: true, mode: 0o700 });
    const { seq } = BEGINNING;
    await writeSnapshot(snapshotPath(fresh, seq), { point: BEGINNING, records: [] });
    closeSync(beginTail(tailPath(fresh, seq)));
    await onDisk(tailPath(fresh, seq));
  });

/** All files of `from`, which nobody writes to meanwhile. */
export const copyPlace = (from: string, to: string): Promise<void> =>
  inPlace(to, async (fresh) => {
    await mkdir(fresh, { recursive: true, mode: 0o700 });
    for (const name of await readdir(from)) {
      await copyFile(join(from, name), join(fresh, name));
      await onDisk(join(fresh, name));
    }
    await rm(to, { recursive: true, force: true });
  });

/** A snapshot of the same name is not read: it has not been written to since. */
export const isCopyOf = (from: string, to: string): boolean => {
  const names = readdirSync(from).sort();
  if (!existsSync(to) || readdirSync(to).sort().join() !== names.join()) return false;
  return names.every((name) => {
    const [mine, other] = [join(from, name), join(to, name)];
    if (statSync(mine).size !== statSync(other).size) return false;
    return name.endsWith('.snapshot') || readFileSync(mine).equals(readFileSync(other));
  });
};

/** The snapshot as the directory's own. */
export const copySnapshot = (from: string, to: string, seq: number): Promise<void> =>
  inPlace(snapshotPath(to, seq), (fresh) => copyFile(snapshotPath(from, seq), fresh));

/** All other files go: what they have is in these, or in nothing that is known. */
export const keepOnly = async (directory: string, seq: number, tails: readonly number[]): Promise<void> => {
  const kept = new Set([snapshotPath(directory, seq), ...tails.map((tail) => tailPath(directory, tail))]);
  for (const name of await readdir(directory))
    if (!kept.has(join(directory, name))) await rm(join(directory, name), { recursive: true, force: true });
};
