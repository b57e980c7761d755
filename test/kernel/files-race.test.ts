/**
 * A K3: while a hostile process exchanges directories, files, links, FIFOs and the directories above them, archives are
 * extracted, read and copied, and trees removed. Nothing outside the root may change, be made, read or opened.
 */
import {
  chmodSync,
  closeSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { archivePath } from '../../src/files/archive.js';
import type { FileView } from '../../src/files/contract.js';
import { copyContents } from '../../src/files/copy.js';
import { extractTar } from '../../src/files/extract.js';
import { removeAt } from '../../src/files/remove.js';
import type { TarEntry, TarType } from '../../src/files/tar/read.js';
import { END, headerOf, padded } from '../../src/files/tar/write.js';
import { resolve, withView } from '../../src/files/view.js';
import * as ffi from '../../src/kernel/ffi.js';
import { createPace } from '../../src/pace.js';
import { CONTROL, RACE, raceGround, SECRET } from '../support/race-ground.js';

let root = '';
let outside = '';

/** Everything that shows of the outside: names, kinds, modes, owners, times, contents. */
const snapshot = (directory: string): readonly string[] =>
  readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .toSorted()
    .concat('.')
    .map((name) => {
      const path = join(directory, name);
      const { mode, uid, gid, size, mtimeMs, ctimeMs, nlink } = lstatSync(path);
      const text = lstatSync(path).isFile() ? readFileSync(path, 'utf8') : '';
      return [name, mode.toString(8), uid, gid, size, mtimeMs, ctimeMs, nlink, text].join(' ');
    });

const furnishOutside = (): void => {
  for (const path of ['d/in', 'p/d', 'er']) mkdirSync(join(outside, path), { recursive: true, mode: 0o700 });
  for (const path of ['secret', 'd/secret', 'd/in/x', 'p/f', 'p/d/secret', 'er/y'])
    writeFileSync(join(outside, path), SECRET, { mode: 0o600 });
};

const furnish = (): void => {
  root = at('root');
  outside = at('outside');
  for (const path of [root, outside]) mkdirSync(path);
  furnishOutside();
  furnishRoot();
};

/** With something to exchange everything for: links that lead out, and a FIFO that nobody is to open. */
const furnishRoot = (): void => {
  for (const path of ['a/d/in', 'a/p/d', 'b/deep/er']) mkdirSync(join(root, path), { recursive: true });
  for (const path of ['a/f', 'a/g', 'a/d/in/x', 'a/p/f', 'b/deep/er/y'])
    writeFileSync(join(root, path), 'own');
  symlinkSync(join(outside, 'd'), join(root, 'a/ld'));
  symlinkSync(join(outside, 'p'), join(root, 'a/lp'));
  symlinkSync(join(outside, 'secret'), join(root, 'a/lf'));
  symlinkSync('../../../outside/er', join(root, 'b/deep/ler'));
  linkSync(at('fifo'), join(root, 'a/fifo'));
};

const { at, pairs, paused, race, happens } = raceGround(furnish, [
  ['root/a/d', 'root/a/ld'],
  ['root/a/p', 'root/a/lp'],
  ['root/a/f', 'root/a/lf'],
  ['root/a/g', 'root/a/fifo'],
  ['root/b/deep/er', 'root/b/deep/ler'],
]);

const view = (): FileView => ({ name: 'box', root, readOnly: false, mounts: [] });

const entryArbitrary: fc.Arbitrary<TarEntry> = fc
  .record({
    name: fc.constantFrom(
      'a/d',
      'a/p/d',
      'a/p/f',
      'a/f',
      'a/d/in',
      'a/d/in/x',
      'b/deep/er',
      'b/deep/er/y',
      'a/new',
    ),
    type: fc.constantFrom<TarType>('file', 'directory', 'symlink', 'link', 'fifo', 'character-device'),
    mode: fc.constantFrom(0o777, 0o4755, 0o600),
    uid: fc.constantFrom(0, 1234),
  })
  .map(({ name, type, mode, uid }) => ({
    ...{ name, type, mode, uid, gid: uid, mtime: 1_000_000, size: type === 'file' ? 3 : 0 },
    linkname: type === 'symlink' ? outside : type === 'link' ? 'a/f' : '',
    ...{ major: 1, minor: 3, attributes: new Map() },
  }));

const tarOf = (entries: readonly TarEntry[]): Readable =>
  Readable.from(
    [
      ...entries.flatMap((entry) => [
        headerOf(entry),
        ...(entry.size ? [Buffer.from('new'), padded(3)] : []),
      ]),
      END,
    ],
    { objectMode: false },
  );

const removeAll = async (name: string): Promise<void> => {
  const top = ffi.open(join(root, 'a'), ffi.O.PATH);
  try {
    await removeAt(top, name, createPace());
  } finally {
    closeSync(top);
  }
};

const copyOver = (from: string): Promise<void> =>
  withView(view(), async (open) => {
    const source = resolve(open, from);
    const into = resolve(open, 'a');
    try {
      await copyContents(open, source, into.fd);
    } finally {
      closeSync(source.fd);
      closeSync(into.fd);
    }
  });

/** The attack as it was found: one entry for a directory that is there, again and again. */
const K3: TarEntry = {
  ...{ name: 'a/d', type: 'directory', mode: 0o777, uid: 0, gid: 0, mtime: 0, size: 0 },
  ...{ linkname: '', major: 0, minor: 0, attributes: new Map() },
};
const again = async (): Promise<void> => {
  for (let times = 0; times < 20; times++)
    await extractTar(view(), '/', tarOf([K3]), { noOverwriteDirNonDir: true }).catch(() => {});
};

const works = (entries: readonly TarEntry[]): readonly (() => Promise<unknown>)[] => [
  again,
  () => extractTar(view(), '/', tarOf(entries), { noOverwriteDirNonDir: false }),
  () => extractTar(view(), '/', tarOf(entries), { noOverwriteDirNonDir: true }),
  async () => {
    const bytes = await buffer(archivePath(view(), '/a').tar);
    if (bytes.includes(SECRET)) throw new Escape('the archive has the secret');
  },
  () => copyOver('b/deep'),
  () => removeAll('p'),
  () => removeAll('d'),
];

class Escape extends Error {}

const isThere = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false }) !== undefined;

/** What was removed or replaced is laid anew, so that the exchanging goes on. */
const restore = (): void => {
  if (pairs().flat().every(isThere)) return;
  paused(() => {
    rmSync(root, { recursive: true, force: true });
    mkdirSync(root);
    furnishRoot();
  });
};

test('A K3: nothing outside is changed, made, read or opened', RACE, async () => {
  const before = snapshot(outside);
  const samples = fc.sample(fc.array(entryArbitrary, { minLength: 1, maxLength: 12 }), 1000);
  const done = { whole: 0, broken: 0 };
  await race(async (round) => {
    for (const work of works(samples[round % samples.length] ?? [])) {
      await work().then(
        () => (done.whole += 1),
        (error: unknown) => {
          if (error instanceof Escape) throw error;
          done.broken += 1; // what is exchanged under its hands may fail
        },
      );
    }
    restore();
    await new Promise((resolve) => setImmediate(resolve));
  });
  expect(snapshot(outside)).toEqual(before);
  expect(done.whole).toBeGreaterThan(20);
});

test('the control: the same by paths reaches out', CONTROL, async () => {
  const before = snapshot(outside);
  const path = join(root, 'a/d');
  const hit = (): boolean => {
    for (let times = 0; times < 500; times++) if (lstatSync(path).isDirectory()) chmodSync(path, 0o777);
    return snapshot(outside).join() !== before.join();
  };
  expect(await happens(hit)).toBe(true);
});
