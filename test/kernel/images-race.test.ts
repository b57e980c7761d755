/**
 * A K3: while a hostile process exchanges directories, files, links and FIFOs of a container's upper layer, the layer is
 * packed (`commit`), compared (`diff`) and measured (`ps -s`, `system df`). Nothing outside may be read or shown, and no FIFO
 * opened. RACE_SECONDS=60 for the long version.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import {
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { bytesBelow } from '../../src/files/size.js';
import { changesIn } from '../../src/images/changes.js';
import { packLayer } from '../../src/images/layer.js';
import { type Exchanger, exchange } from '../support/exchanger.js';

const SECONDS = Number(process.env.RACE_SECONDS ?? 4);
const SECRET = 'the host’s own';
/** A name that is outside alone. */
const TELLTALE = 'nobody-is-to-see-me';
/** Bytes of a file outside: more than all of the layer. */
const LARGE = 1_000_000;

let base = '';
let exchanger: Exchanger | undefined;
let waiting: ChildProcess | undefined;
const at = (path: string): string => join(base, path);

const furnish = (): void => {
  for (const path of ['upper/a/d/in', 'upper/b/deep/er', 'lower/a/d/in', 'outside/d/in'])
    mkdirSync(at(path), { recursive: true });
  for (const path of ['upper/a/f', 'upper/a/g', 'upper/a/d/in/x', 'upper/b/deep/er/y', 'lower/a/d/in/x'])
    writeFileSync(at(path), 'own');
  for (const path of ['secret', 'd/x', 'd/in/x', 'd/in/large', `d/${TELLTALE}`])
    writeFileSync(at(`outside/${path}`), SECRET.repeat(path.endsWith('large') ? LARGE / SECRET.length : 1));
  execFileSync('mkfifo', [at('fifo')]);
  symlinkSync(at('outside/d'), at('upper/a/ld'));
  symlinkSync(at('outside/secret'), at('upper/a/lf'));
  symlinkSync('../../../outside/d', at('upper/b/deep/ler'));
  linkSync(at('fifo'), at('upper/a/fifo'));
};

const pairs = (): readonly (readonly [string, string])[] =>
  [
    ['a/d', 'a/ld'],
    ['a/f', 'a/lf'],
    ['a/g', 'a/fifo'],
    ['b/deep/er', 'b/deep/ler'],
  ].map(([one = '', other = '']) => [at(`upper/${one}`), at(`upper/${other}`)] as const);

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'vlayer-'));
  furnish();
  waiting = spawn('sh', ['-c', `: >${at('fifo')}`], { stdio: 'ignore' }); // ends when somebody opens it for reading
});
afterEach(async () => {
  await exchanger?.end();
  exchanger = undefined;
  waiting?.kill('SIGKILL');
  rmSync(base, { recursive: true, force: true });
});

const pack = async (): Promise<boolean> => {
  rmSync(at('layer.tar'), { force: true });
  await packLayer(at('upper'), [at('lower')], { file: at('layer.tar') });
  const tar = readFileSync(at('layer.tar'));
  return tar.includes(SECRET) || tar.includes(TELLTALE);
};

const compare = async (): Promise<boolean> =>
  JSON.stringify(await changesIn(at('upper'), [at('lower')])).includes(TELLTALE);

const measure = async (): Promise<boolean> => ((await bytesBelow(at('upper'))) ?? 0) >= LARGE;

test('A K3: a layer that is packed, compared and measured shows nothing from outside', {
  timeout: (SECONDS + 30) * 1000,
  retry: 0,
}, async () => {
  exchanger = await exchange(pairs());
  const end = Date.now() + SECONDS * 1000;
  let rounds = 0;
  for (; Date.now() < end; rounds++)
    for (const escapes of [pack, compare, measure])
      expect([escapes.name, await escapes()]).toEqual([escapes.name, false]);
  expect(waiting?.exitCode).toBe(null);
  expect(rounds).toBeGreaterThan(20);
});

test('the control: the same by paths sees the outside', { timeout: 60_000, retry: 0 }, async () => {
  exchanger = await exchange(pairs());
  const path = at('upper/a/d');
  const end = Date.now() + 50_000;
  let seen = false;
  while (!seen && Date.now() < end)
    if (lstatSync(path).isDirectory()) seen = readdirSync(path).includes(TELLTALE);
  expect(seen).toBe(true);
});
