/** Files of containers: stat, archive and extract, and that nothing leads out of the root. */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { archivePath } from '../../src/files/archive.js';
import type { ExtractOptions, FileView } from '../../src/files/contract.js';
import { extractTar } from '../../src/files/extract.js';
import { statPath } from '../../src/files/path-stat.js';
import * as ffi from '../../src/kernel/ffi.js';
import { attribute } from '../../src/kernel/file-calls.js';
import { createPace } from '../../src/pace.js';

let base: string;
let root: string;
let outside: string;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'vf-'));
  root = join(base, 'root');
  outside = join(base, 'outside');
  mkdirSync(join(root, 'dir/sub'), { recursive: true });
  mkdirSync(outside);
  writeFileSync(join(outside, 'secret'), 'secret');
  writeFileSync(join(root, 'dir/file'), 'content');
  chmodSync(join(root, 'dir/file'), 0o4751);
  symlinkSync('/dir', join(root, 'link'));
  symlinkSync(outside, join(root, 'escape'));
  symlinkSync('../../../../../../../../etc', join(root, 'dotdot'));
  linkSync(join(root, 'dir/file'), join(root, 'dir/hard'));
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

const view = (): FileView => ({ name: 'box', root, readOnly: false, mounts: [] });

const names = async (path: string): Promise<readonly string[]> => {
  const bytes = await buffer(archivePath(view(), path).tar);
  return execFileSync('tar', ['-tf', '-'], { input: bytes }).toString().trimEnd().split('\n').toSorted();
};

type Entry = Parameters<ReturnType<typeof pack>['entry']>[0] & { body?: string };
const tarOf = (...entries: readonly Entry[]): Readable => {
  const stream = pack();
  for (const { body, ...header } of entries) stream.entry(header, body ?? '');
  stream.finalize();
  // streamx's Readable, which has Node's interface but not its type
  return stream as unknown as Readable;
};
const OPTIONS: ExtractOptions = { noOverwriteDirNonDir: false };
const extract = (path: string, tar: Readable, options: Partial<ExtractOptions> = {}) =>
  extractTar(view(), path, tar, { ...OPTIONS, ...options });

describe('stat', () => {
  test('a file, a directory, a link, and what a link leads to', () => {
    expect(statPath(view(), '/dir/file')).toMatchObject({
      name: 'file',
      size: 7,
      mode: (0x00800000 | 0o751) >>> 0,
      linkTarget: '',
    });
    expect(statPath(view(), 'dir').mode).toBe((0x80000000 | 0o755) >>> 0);
    expect(statPath(view(), '/link')).toMatchObject({ name: 'link', linkTarget: '/dir' });
    expect(statPath(view(), '/link').mode & 0x08000000).not.toBe(0);
    expect(statPath(view(), '/link/')).toMatchObject({ name: 'link', linkTarget: '' });
    expect(statPath(view(), '/')).toMatchObject({ name: '/' });
  });

  test('what is not there is not found, also through links that lead out', () => {
    for (const path of ['/nope', '/escape/secret', '/dotdot/passwd', '/../../etc/passwd'])
      expect(() => statPath(view(), path)).toThrow(
        expect.objectContaining({
          kind: 'not-found',
          message: `Could not find the file ${path} in container box`,
        }),
      );
    for (const path of ['/dir/file/x', '/dir/file/', '/dir/file/.'])
      expect(() => statPath(view(), path)).toThrow('not a directory');
  });
});

describe('archive', () => {
  test('a directory under its own name, a file, contents, what is behind a link', async () => {
    expect(await names('/dir')).toEqual(['dir/', 'dir/file', 'dir/hard', 'dir/sub/']);
    expect(await names('/dir/file')).toEqual(['file']);
    expect(await names('/dir/.')).toEqual(['./', './file', './hard', './sub/']);
    expect(await names('/link/')).toEqual(['link/', 'link/file', 'link/hard', 'link/sub/']);
    expect(await names('/link')).toEqual(['link']);
  });

  test('mode and owner travel; a link is sent as a link', async () => {
    const bytes = await buffer(archivePath(view(), '/').tar);
    const listing = execFileSync('tar', ['-tvf', '-', '--numeric-owner'], { input: bytes }).toString();
    expect(listing).toMatch(/^-rwsr-x--x 0\/0 +7 .* \/dir\/file$/m);
    expect(listing).toMatch(/ \/link -> \/dir$/m);
    expect(listing).not.toContain('secret');
  });

  test('names that mean something to tar or sed', async () => {
    for (const name of ['-rf', 'a,b', 'x&y', 'back\\slash', 'new\nline']) {
      mkdirSync(join(root, name));
      writeFileSync(join(root, name, 'inner'), '1');
      const into = mkdtempSync(join(base, 'into-'));
      execFileSync('tar', ['-xf', '-', '-C', into], {
        input: await buffer(archivePath(view(), `/${name}/`).tar),
      });
      expect(readFileSync(join(into, name, 'inner'), 'utf8')).toBe('1');
    }
  });

  test('nothing from outside', () => {
    expect(() => archivePath(view(), '/escape/')).toThrow(expect.objectContaining({ kind: 'not-found' }));
    expect(() => archivePath(view(), '/escape/secret')).toThrow(
      expect.objectContaining({ kind: 'not-found' }),
    );
  });
});

describe('both ways', () => {
  test('extended attributes, capabilities, and names that are no UTF-8', async () => {
    const name = Buffer.from([0x66, 0xff, 0xfe, 0x80]);
    writeFileSync(Buffer.concat([Buffer.from(`${root}/dir/`), name]), 'bytes');
    const capability = Buffer.from('0100000200200000000000000000000000000000', 'hex');
    execFileSync('python3', [
      '-c',
      `import os; os.setxattr("${root}/dir/file", "security.capability", bytes.fromhex("${capability.toString('hex')}"))`,
    ]);
    mkdirSync(join(root, 'into'));
    await extract('/into', archivePath(view(), '/dir').tar);
    const copied = readdirSync(join(root, 'into/dir'), { encoding: 'buffer' });
    expect(copied.some((found) => found.equals(name))).toBe(true);
    const fd = ffi.open(join(root, 'into/dir/file'), ffi.O.PATH);
    expect(attribute(fd, 'security.capability')).toEqual(capability);
    ffi.close(fd);
  });

  test('times of directories are the archive’s, though files come into them later', async () => {
    const old = new Date('2001-02-03T04:05:06Z');
    await extract('/', tarOf({ name: 'old', type: 'directory', mtime: old }, { name: 'old/f', body: 'x' }));
    expect(statSync(join(root, 'old')).mtime).toEqual(old);
  });

  test('many files: others’ turns come in between', async () => {
    mkdirSync(join(root, 'many'));
    for (let at = 0; at < 500; at++) writeFileSync(join(root, 'many', `f${at}`), 'x'.repeat(at % 300));
    let turns = 0;
    const timer = setInterval(() => (turns += 1), 1);
    const pace = createPace();
    const began = performance.now();
    while (performance.now() - began < 30) if (pace.due()) await pace.rest();
    clearInterval(timer);
    expect(turns).toBeGreaterThan(0);
    mkdirSync(join(root, 'copies'));
    await extract('/copies', archivePath(view(), '/many').tar);
    expect(readdirSync(join(root, 'copies/many'))).toHaveLength(500);
  });
});

describe('extract', () => {
  test('files, directories, links, owner, mode, time; parents are made; what was there is replaced', async () => {
    const mtime = new Date('2020-01-02T03:04:05Z');
    await extract(
      '/dir',
      tarOf(
        { name: 'new/deep/file', body: 'hello', mode: 0o4755, uid: 1000, gid: 1001, mtime },
        { name: 'file', body: 'replaced' },
        { name: 'd', type: 'directory', mode: 0o1777 },
        { name: 's', type: 'symlink', linkname: '/anywhere' },
        { name: 'h', type: 'link', linkname: 'new/deep/file' },
        { name: 'n', type: 'character-device', mode: 0o600, devmajor: 1, devminor: 3 },
        { name: 'p', type: 'fifo' },
      ),
    );
    const made = statSync(join(root, 'dir/new/deep/file'));
    expect([made.mode & 0o7777, made.uid, made.gid, made.mtime]).toEqual([0o4755, 1000, 1001, mtime]);
    expect(readFileSync(join(root, 'dir/file'), 'utf8')).toBe('replaced');
    expect(readFileSync(join(root, 'dir/hard'), 'utf8')).toBe('content');
    expect(statSync(join(root, 'dir/d')).mode & 0o7777).toBe(0o1777);
    expect(readlinkSync(join(root, 'dir/s'))).toBe('/anywhere');
    expect(statSync(join(root, 'dir/h')).ino).toBe(made.ino);
    expect(statSync(join(root, 'dir/n')).rdev).toBe(0x103);
    expect(lstatSync(join(root, 'dir/p')).isFIFO()).toBe(true);
  });

  test('nothing lands outside: by name, by a link that was there, by a link from the archive, by a hard link', async () => {
    await extract('/', tarOf({ name: '../../outside/a', body: 'x' }, { name: '/abs/b', body: 'x' })).catch(
      () => {},
    );
    await extract('/', tarOf({ name: 'escape/c', body: 'x' })).catch(() => {});
    await extract('/escape', tarOf({ name: 'd', body: 'x' })).catch(() => {});
    await extract(
      '/',
      tarOf({ name: 'own', type: 'symlink', linkname: outside }, { name: 'own/e', body: 'x' }),
    ).catch(() => {});
    await extract('/', tarOf({ name: 'stolen', type: 'link', linkname: `${outside}/secret` })).catch(
      () => {},
    );
    await extract('/', tarOf({ name: 'stolen2', type: 'link', linkname: 'escape/secret' })).catch(() => {});
    expect(execFileSync('ls', ['-A', outside]).toString()).toBe('secret\n');
    expect(statSync(join(outside, 'secret')).nlink).toBe(1);
    expect(readFileSync(join(root, 'abs/b'), 'utf8')).toBe('x');
  });

  test('a link at the place of a file is replaced, not followed', async () => {
    symlinkSync(join(outside, 'secret'), join(root, 'target'));
    await extract('/', tarOf({ name: 'target', body: 'mine' }));
    expect(readFileSync(join(outside, 'secret'), 'utf8')).toBe('secret');
    expect(readFileSync(join(root, 'target'), 'utf8')).toBe('mine');
  });

  test('a directory is not replaced by a file, nor a file by a directory, when that is refused', async () => {
    const refuse = { noOverwriteDirNonDir: true };
    await expect(extract('/', tarOf({ name: 'dir', body: 'x' }), refuse)).rejects.toThrow(
      'cannot overwrite directory',
    );
    await expect(extract('/dir', tarOf({ name: 'file', type: 'directory' }), refuse)).rejects.toThrow(
      'cannot overwrite non-directory',
    );
    await extract('/dir', tarOf({ name: 'file', type: 'directory' }));
    expect(statSync(join(root, 'dir/file')).isDirectory()).toBe(true);
  });

  test('compressed; large; empty; junk; cut short; into a file; into nothing', async () => {
    const large = 'y'.repeat(3_000_000);
    await extract('/', Readable.from([gzipSync(await buffer(tarOf({ name: 'z', body: large })))]));
    expect(readFileSync(join(root, 'z'), 'utf8') === large).toBe(true);
    await extract('/', tarOf());
    await expect(extract('/', Readable.from([Buffer.alloc(2048, 'junk')]))).rejects.toMatchObject({
      kind: 'invalid',
    });
    const cut = (await buffer(tarOf({ name: 'cut', body: large }))).subarray(0, 100_000);
    await expect(extract('/', Readable.from([cut]))).rejects.toMatchObject({ kind: 'invalid' });
    await expect(extract('/dir/file', tarOf())).rejects.toThrow('extraction point is not a directory');
    await expect(extract('/nope', tarOf())).rejects.toMatchObject({ kind: 'not-found' });
    expect(existsSync(join(root, 'nope'))).toBe(false);
  });
});
