/**
 * A K3: while a hostile process exchanges directories, files, links and FIFOs of a container's upper layer, the layer is
 * packed (`commit`), compared (`diff`) and measured (`ps -s`, `system df`). Nothing outside may be read or shown, and no FIFO
 * opened.
 */
import {
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { expect, test } from 'vitest';
import { bytesBelow } from '../../src/files/size.js';
import { changesIn } from '../../src/images/changes.js';
import { packLayer } from '../../src/images/layer.js';
import { CONTROL, RACE, raceGround, SECRET } from '../support/race-ground.js';

/** A name that is outside alone. */
const TELLTALE = 'nobody-is-to-see-me';
/** Bytes of a file outside: more than all of the layer. */
const LARGE = 1_000_000;

const furnish = (): void => {
  for (const path of ['upper/a/d/in', 'upper/b/deep/er', 'lower/a/d/in', 'outside/d/in'])
    mkdirSync(at(path), { recursive: true });
  for (const path of ['upper/a/f', 'upper/a/g', 'upper/a/d/in/x', 'upper/b/deep/er/y', 'lower/a/d/in/x'])
    writeFileSync(at(path), 'own');
  for (const path of ['secret', 'd/x', 'd/in/x', 'd/in/large', `d/${TELLTALE}`])
    writeFileSync(at(`outside/${path}`), SECRET.repeat(path.endsWith('large') ? LARGE / SECRET.length : 1));
  symlinkSync(at('outside/d'), at('upper/a/ld'));
  symlinkSync(at('outside/secret'), at('upper/a/lf'));
  symlinkSync('../../../outside/d', at('upper/b/deep/ler'));
  linkSync(at('fifo'), at('upper/a/fifo'));
};

const { at, race, happens } = raceGround(furnish, [
  ['upper/a/d', 'upper/a/ld'],
  ['upper/a/f', 'upper/a/lf'],
  ['upper/a/g', 'upper/a/fifo'],
  ['upper/b/deep/er', 'upper/b/deep/ler'],
]);

const pack = async (): Promise<boolean> => {
  rmSync(at('layer.tar'), { force: true });
  await packLayer(at('upper'), [at('lower')], { file: at('layer.tar') });
  const tar = readFileSync(at('layer.tar'));
  return tar.includes(SECRET) || tar.includes(TELLTALE);
};

const compare = async (): Promise<boolean> =>
  JSON.stringify(await changesIn(at('upper'), [at('lower')])).includes(TELLTALE);

const measure = async (): Promise<boolean> => ((await bytesBelow(at('upper'))) ?? 0) >= LARGE;

test('A K3: a layer that is packed, compared and measured shows nothing from outside', RACE, async () => {
  const rounds = await race(async () => {
    for (const escapes of [pack, compare, measure])
      expect([escapes.name, await escapes()]).toEqual([escapes.name, false]);
  });
  expect(rounds).toBeGreaterThan(20);
});

test('the control: the same by paths sees the outside', CONTROL, async () => {
  const path = at('upper/a/d');
  const seen = () => lstatSync(path).isDirectory() && readdirSync(path).includes(TELLTALE);
  expect(await happens(seen)).toBe(true);
});
