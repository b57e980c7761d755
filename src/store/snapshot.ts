/**
 * Writes and reads a snapshot, all records of one moment in a file: lines as in a tail, that begin with nothing, each with as many records as a slice of the
 * loop's time has room for; the last says which moment it is. It is written beside other work and on other threads, under
 * another name, which it loses when all is on the disk: a file of the right name is whole, or was damaged since.
 */
import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { failpoint } from '../failpoints.js';
import { createPace } from '../pace.js';
import { BEGINNING, commitsIn, lineOf, type Point } from './lines.js';
import type { StoredChange } from './records.js';

export interface Snapshot {
  readonly point: Point;
  readonly records: readonly StoredChange[];
}

/** The table of the last line's one record, and of what form the others are. */
const END = 'end';
const FORM = 1;

/** A sentence says what is wrong with the file. Throws where a later version wrote it. */
export const parseSnapshot = (file: Buffer): Snapshot | string => {
  const { commits, at } = commitsIn<readonly StoredChange[]>(file, BEGINNING);
  const [last] = commits.at(-1) ?? [];
  if (at < file.length || last?.table !== END) return 'its snapshot is not as it was written';
  if (last.id !== String(FORM))
    throw new Error('the record of networks and containers was written by a later version of Viaduct');
  return { point: last.value as Point, records: commits.slice(0, -1).flat() }; // `writeSnapshot` wrote it
};

/** What is in a file or a directory is on the disk. */
export const onDisk = async (path: string): Promise<void> => {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
};

/** Puts something new at `path`, at once: `write` makes it under another name. Rejects where that fails, and leaves nothing. */
export const inPlace = async (path: string, write: (fresh: string) => Promise<void>): Promise<void> => {
  const fresh = `${path}.new`;
  try {
    await rm(fresh, { recursive: true, force: true });
    await write(fresh);
    await onDisk(fresh);
    failpoint('snapshot-written');
    await rename(fresh, path);
    await onDisk(dirname(path));
  } catch (error) {
    await rm(fresh, { recursive: true, force: true }); // a disk that is full has a use for the room
    throw error;
  }
};

export const writeSnapshot = (path: string, { point, records }: Snapshot): Promise<void> =>
  inPlace(path, async (fresh) => {
    const file = await open(fresh, 'wx', 0o600);
    let from = BEGINNING;
    const put = async (texts: readonly string[]): Promise<void> => {
      const line = lineOf(from, `[${texts.join()}]`);
      from = line.point;
      await file.writeFile(line.bytes.subarray(0, -1));
    };
    try {
      const pace = createPace();
      const slice: string[] = [];
      for (const record of records) {
        slice.push(JSON.stringify(record));
        if (!pace.due()) continue;
        await put(slice.splice(0));
        await pace.rest();
      }
      await put(slice);
      await put([JSON.stringify({ table: END, id: String(FORM), value: point })]);
    } finally {
      await file.close();
    }
  });
