/**
 * Where the records are taken from at a start: the record itself, else of its copies the one that knows most, else there
 * are none. One copy lies beside the record; one in memory (the exec root), where it is whatever happens to the disk. When this is done, the record is whole and on the disk, and each copy has the same.
 */
import { renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { defined } from '../defined.js';
import { attempt, unavailable } from '../errors.js';
import { Copies } from './copies.js';
import { copyPlace, type Found, keepOnly, makePlace, type Places, readPlace } from './place.js';
import { tailPath } from './tail-file.js';

export interface Loss {
  /** a record that was not as it was written: where it lies now, and what was wrong; absent when all was well */
  readonly quarantined?: { readonly path: string; readonly damage: string };
  /** the copy from which the records were taken; absent where the record itself had them */
  readonly restored?: { readonly path: string; readonly made: string };
}

type Warn = (message: string) => void;

const setAside = (path: string): string => {
  const aside = `${path}.unreadable-${new Date().toISOString().replace(/[:.]/g, '-')}`;
  renameSync(path, aside);
  return aside;
};

/** When its last commit was written, RFC 3339. */
const madeAt = ({ directory, tails }: Found): string =>
  statSync(tailPath(directory, tails.at(-1) ?? 0)).mtime.toISOString();

interface Chosen {
  /** what can be gone on with, in the record's own place */
  readonly found: Found;
  readonly loss: Loss;
}

const choose = async (home: string, copies: readonly string[], warn: Warn): Promise<Chosen> => {
  const own = readPlace(home);
  const damage = typeof own === 'string' ? own : own?.damage;
  const whole = typeof own === 'object' && damage === undefined;
  // A copy that cannot be read is none.
  const others = whole ? [] : copies.map((directory) => attempt(() => readPlace(directory)));
  const [best] = [own, ...others]
    .flatMap((found) => (typeof found === 'object' ? [found] : []))
    .sort((a, b) => b.point.seq - a.point.seq);
  if (best && best === own) {
    if (damage !== undefined) warn(`of the record of networks and containers: ${damage}`);
    return { found: best, loss: {} };
  }
  const quarantined = damage === undefined ? undefined : { path: setAside(home), damage };
  const restored = best && { path: best.directory, made: madeAt(best) };
  if (best) await copyPlace(best.directory, home);
  else await makePlace(home);
  const found = readPlace(home);
  if (!found || typeof found === 'string')
    throw unavailable(`what was just written cannot be read: ${found}`);
  return { found, loss: defined({ quarantined, restored }) };
};

export interface Source extends Chosen {
  readonly home: string;
  readonly copies: Copies;
}

export const findRecord = async (places: Places, warn: Warn): Promise<Source> => {
  const { dataRoot, execRoot } = places;
  const home = join(dataRoot, 'record');
  const others = [`${home}-copy`, ...(execRoot === undefined ? [] : [join(execRoot, 'record')])];
  const chosen = await choose(home, others, warn);
  const { seq, tails } = chosen.found;
  await keepOnly(home, seq, tails);
  const copies = new Copies(home, others, warn);
  await copies.begin(tails.at(-1) ?? seq);
  return { ...chosen, home, copies };
};
