/**
 * One process of `store-damage.test.ts`: opens a damaged store with all that the daemon does with it, once for each damage that
 * it reads as a line of JSON from its input, and says what came of it. Where lmdb ends the process, the last line tells at which.
 */
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type StoredChange as Change, openStore } from '../../src/store/store.js';

/** A byte of `file` that gets another value, or all from there on that is cut away. */
export interface Damage {
  readonly file: string;
  readonly at: number;
  readonly flip?: number;
}

export interface Outcome {
  readonly damage: Damage;
  /** digest of the records that the store had; and after another commit, which does not count, a close and a start */
  readonly state: string;
  readonly later: string;
  readonly told: boolean;
}

const ADDED: Change = { table: 'owed', id: 'added', value: { id: 'added' } as never }; // the store does not look into a record

/** A few digits: of a hundred thousand outcomes the records themselves are longer than a string can be. */
const stateOf = (changes: Iterable<Change>): string => {
  const counted = [...changes].filter(({ id }) => id !== ADDED.id);
  const sorted = counted.sort((a, b) => (`${a.table}/${a.id}` < `${b.table}/${b.id}` ? -1 : 1));
  return createHash('sha1').update(JSON.stringify(sorted)).digest('hex');
};

const damaged = (bytes: Buffer, { at, flip }: Damage): Buffer => {
  if (flip === undefined) return bytes.subarray(0, at);
  const copy = Buffer.from(bytes);
  copy.writeUInt8(copy.readUInt8(at) ^ flip, at);
  return copy;
};

const FILES = ['intent.mdb', 'intent.mdb-copy', 'intent.tail'];

const tryOut = async (from: string, damage: Damage): Promise<Outcome> => {
  const folder = mkdtempSync(join(from, 'try-'));
  try {
    for (const file of FILES) copyFileSync(join(from, file), join(folder, file));
    const path = join(folder, damage.file);
    writeFileSync(path, damaged(readFileSync(path), damage));
    let told = false;
    const open = () => {
      const opened = openStore(join(folder, 'intent.mdb'), join(folder, 'intent.tail'), () => {
        told = true;
      });
      told ||= opened.quarantined !== undefined || opened.restored !== undefined;
      return opened.store;
    };
    const store = open();
    const state = stateOf(store.load());
    for (let n = 0; n < 3; n += 1) store.commit([ADDED], true);
    await store.close();
    const again = open();
    const later = stateOf(again.load());
    await again.close();
    return { damage, state, later, told };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

const [, main = '', from = ''] = process.argv;
if (main.endsWith('damaged-store.ts')) {
  mkdirSync(from, { recursive: true });
  for await (const line of createInterface({ input: process.stdin })) {
    const damage = JSON.parse(line) as Damage; // the test wrote it
    process.stdout.write(`${JSON.stringify(damage)}\n`);
    process.stdout.write(`${JSON.stringify(await tryOut(from, damage))}\n`);
  }
}
