/**
 * One process of `store-full.test.ts`, in a mount namespace of its own: a store on disks of many sizes, each too small for it at
 * another moment. Says of each disk as a line of JSON what came of it. Usage: full-store.ts DIRECTORY
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { openStore, type Store } from '../../src/store/store.js';
import { asKilled } from './killed-store.js';

export interface Outcome {
  readonly kilobytes: number;
  /** commits that were taken, until one was refused; undefined: not even the start was */
  readonly taken?: number;
  readonly refused?: string;
  /** what was there after a kill; and once there was room, of which another commit was made */
  readonly killed?: readonly string[];
  readonly later?: readonly string[];
}

const COMMITS = 40;
const [, main = '', base = ''] = process.argv;
const [disk, other, copied] = ['disk', 'exec', 'copied'].map((name) => join(base, name)) as [
  string,
  string,
  string,
];
const seen = (store: Store): string[] => [...store.load()].map(({ id }) => id);
const mount = (...args: readonly string[]) => execFileSync('mount', [...args, disk]);

const opened = async (dataRoot: string): Promise<Store> =>
  (await openStore({ dataRoot: join(dataRoot, 'data'), execRoot: join(base, 'exec') })).store;

/** Answers why one was refused. Records grow and go, so snapshots are larger and smaller than what is left. */
const fill = async (store: Store, taken: string[]): Promise<string> => {
  for (let n = 0; n < COMMITS; n += 1) {
    try {
      store.commit([{ table: 'network', id: String(n), value: { text: 'x'.repeat(150_000) } }], n % 2 === 0);
    } catch (error) {
      return String(error);
    }
    taken.push(String(n));
    await store.written();
    await delay(2);
  }
  return '';
};

const tryOn = async (kilobytes: number): Promise<Outcome> => {
  mount('-t', 'tmpfs', '-o', `size=${kilobytes}k`, 'tmpfs');
  try {
    const store = await opened(disk);
    const taken: string[] = [];
    const refused = await fill(store, taken);
    asKilled(disk, copied);
    await store.close();
    rmSync(other, { recursive: true, force: true }); // which would make good what the disk lacks
    const next = await opened(copied);
    const killed = seen(next);
    await next.close();
    rmSync(other, { recursive: true, force: true });
    mount('-o', 'remount,size=100m');
    const after = await opened(disk);
    after.commit([{ table: 'network', id: 'later', value: {} }], true);
    await after.close();
    const last = await opened(disk);
    const later = seen(last);
    await last.close();
    return { kilobytes, taken: taken.length, refused, killed, later };
  } catch (error) {
    return { kilobytes, refused: String(error) };
  } finally {
    execFileSync('umount', ['-l', disk]);
    rmSync(other, { recursive: true, force: true });
  }
};

if (main.endsWith('full-store.ts')) {
  mkdirSync(disk, { recursive: true });
  for (let kilobytes = 512; kilobytes < 20_000; kilobytes += kilobytes < 8_000 ? 380 : 2_000)
    process.stdout.write(`${JSON.stringify(await tryOn(kilobytes))}\n`);
}
