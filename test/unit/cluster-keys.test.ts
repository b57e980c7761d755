/** A node's private keys on the disk: plain, sealed, opened, and what a reboot leaves of them. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { newUnlockKey } from '../../src/cluster/ca/tokens.js';
import { openKeys } from '../../src/cluster/life/keys.js';
import { filesBelow, renew } from '../support/renewed-node.js';
import { attempt } from '../support/run.js';

let at: { readonly directory: string; readonly run: string };
let base: string;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'viaduct-keys-'));
  at = { directory: join(base, 'data'), run: join(base, 'run') };
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

const reboot = (): void => rmSync(at.run, { recursive: true, force: true });
/** all that is on the disk, in one text */
const disk = (): string =>
  readdirSync(at.directory)
    .map((name) => readFileSync(join(at.directory, name), 'latin1'))
    .join('\n');

test('without a lock they are there after a reboot, and nobody else reads them', () => {
  openKeys(at).write('node.key', 'the key');
  reboot();
  const keys = openKeys(at);
  expect(keys.locked()).toBe(false);
  expect(keys.read('node.key')).toBe('the key');
  expect(readFileSync(keys.path('node.key'), 'utf8')).toBe('the key');
  for (const path of [keys.path('node.key'), join(at.directory, 'node.key')])
    expect(statSync(path).mode & 0o077).toBe(0);
});

test('with a lock nothing on the disk has them, also those that come later', () => {
  const keys = openKeys(at);
  keys.write('node.key', 'the first key');
  keys.lock(newUnlockKey());
  keys.write('data.key', 'the second key');
  expect(disk()).not.toMatch(/the (first|second) key/);
  expect(keys.read('node.key')).toBe('the first key');
  expect(readFileSync(keys.path('data.key'), 'utf8')).toBe('the second key');
});

test('a daemon that begins again is locked until the right key is given, also where the former one was killed', () => {
  const [right, wrong] = [newUnlockKey(), newUnlockKey()];
  const former = openKeys(at);
  former.write('node.key', 'the key');
  former.lock(right);
  const keys = openKeys(at);
  expect(keys.locked()).toBe(true);
  expect(existsSync(keys.path('node.key'))).toBe(false);
  expect(() => keys.unlock(wrong)).toThrow('swarm could not be unlocked: invalid key provided');
  expect(keys.locked()).toBe(true);
  keys.unlock(right);
  expect(keys.locked()).toBe(false);
  expect(keys.read('node.key')).toBe('the key');
});

test('another lock takes the place of the former one, and none opens them for good', () => {
  const [first, second] = [newUnlockKey(), newUnlockKey()];
  const former = openKeys(at);
  former.write('node.key', 'the key');
  former.lock(first);
  former.lock(second);
  const keys = openKeys(at);
  expect(() => keys.unlock(first)).toThrow();
  keys.unlock(second);
  keys.lock(undefined);
  reboot();
  expect(openKeys(at).read('node.key')).toBe('the key');
});

const isPair = (): boolean => {
  const { key, certificate } = filesBelow(base).credentials();
  return new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key));
};

test('S1: a certificate that cannot be written leaves the former one with its key, and the next time takes both', () => {
  renew(filesBelow(base));
  const before = filesBelow(base).credentials();
  for (const name of ['ca.crt.new', 'node.crt.next.new', 'node.key.new']) {
    const inTheWay = join(base, 'data/swarm', name);
    mkdirSync(inTheWay);
    expect(() => renew(filesBelow(base))).toThrow();
    rmSync(inTheWay, { recursive: true });
    expect(isPair(), name).toBe(true);
    expect(filesBelow(base).credentials().key).toBe(before.key);
  }
  renew(filesBelow(base));
  expect(isPair()).toBe(true);
  expect(filesBelow(base).credentials().key).not.toBe(before.key);
});

test.each(['certificate-written', 'key-written'])(
  'S1: killed at %s a node has a key and the certificate of that key, after a reboot too',
  async (place) => {
    for (const after of [() => {}, () => rmSync(join(base, 'run'), { recursive: true })]) {
      renew(filesBelow(base));
      const armed = join(base, 'failpoint');
      writeFileSync(armed, place);
      const script = fileURLToPath(new URL('../support/renewed-node.ts', import.meta.url));
      const env = { VIADUCT_FAILPOINTS: armed };
      const { code } = await attempt(process.execPath, ['--import', 'tsx', script, base], { env });
      expect(code).toBe(137);
      after();
      expect(isPair()).toBe(true);
      expect(existsSync(join(base, 'data/swarm/node.crt.next'))).toBe(false);
    }
  },
  30_000,
);
