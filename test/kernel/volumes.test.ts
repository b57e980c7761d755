/** Volumes with devices, and copy-up from an image: in a mount namespace of this file's own. */
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { isMounted } from '../../src/engine/volumes/device.js';
import { copyUp, createVolumes } from '../../src/engine/volumes/index.js';
import * as ffi from '../../src/kernel/ffi.js';

let root = '';
beforeAll(() => {
  ffi.unshare(ffi.CLONE.NEWNS);
  ffi.mount('none', '/', '', ffi.MS.REC | ffi.MS.PRIVATE, '');
  root = mkdtempSync(join(tmpdir(), 'viaduct-volumes-'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const open = () => createVolumes({ dataRoot: root, usedBy: () => [], publish: () => {} });

test('a tmpfs volume is mounted while used, twice is once, and found mounted after a restart', () => {
  const volumes = open();
  const options = { type: 'tmpfs', device: 'tmpfs', o: 'size=1m,nosuid' };
  const { mountpoint } = volumes.create({ name: 'scratch', driver: 'local', options, labels: {} });
  expect(isMounted(mountpoint)).toBe(false);
  volumes.mount('scratch');
  writeFileSync(join(mountpoint, 'file'), 'x');
  volumes.mount('scratch');
  open().mount('scratch');
  expect(readdirSync(mountpoint)).toEqual(['file']);
  expect(execFileSync('findmnt', ['-no', 'OPTIONS', mountpoint], { encoding: 'utf8' })).toMatch(
    /nosuid.*size=1024k/,
  );
  volumes.unmount('scratch');
  expect(isMounted(mountpoint)).toBe(false);
});

test('a read-only bind keeps what is behind it, also when the volume is removed', () => {
  const behind = join(root, 'behind');
  mkdirSync(behind);
  writeFileSync(join(behind, 'precious'), 'x');
  const volumes = open();
  const options = { type: 'none', device: behind, o: 'bind,ro' };
  const { mountpoint } = volumes.create({ name: 'bound', driver: 'local', options, labels: {} });
  volumes.mount('bound');
  expect(() => writeFileSync(join(mountpoint, 'new'), 'x')).toThrow('EROFS');
  volumes.remove('bound', false);
  expect(readdirSync(behind)).toEqual(['precious']);
  expect(existsSync(mountpoint)).toBe(false);
});

test('a volume with something mounted below it is not deleted', () => {
  const volumes = open();
  const { mountpoint } = volumes.create({ name: 'nested', driver: 'local', options: {}, labels: {} });
  const inner = join(mountpoint, 'inner');
  mkdirSync(inner);
  ffi.mount('tmpfs', inner, 'tmpfs', 0, '');
  expect(() => volumes.remove('nested', false)).toThrow('volume has active mounts');
  ffi.umount(inner);
  volumes.remove('nested', false);
});

test('a device that is not there is an error that keeps no secret and leaves no mount', () => {
  const volumes = open();
  const options = { type: 'ext4', device: '/dev/not-there', o: 'password=secret' };
  const { mountpoint } = volumes.create({ name: 'missing', driver: 'local', options, labels: {} });
  expect(() => volumes.mount('missing')).toThrow(
    /failed to mount local volume: .*password=\*{8}: mount .*EINVAL/,
  );
  expect(isMounted(mountpoint)).toBe(false);
});

const image = (name: string): string => {
  const rootfs = join(root, name);
  mkdirSync(join(rootfs, 'srv/www'), { recursive: true, mode: 0o755 });
  writeFileSync(join(rootfs, 'srv/www/index.html'), 'hello', { mode: 0o640 });
  execFileSync('chown', ['33:33', join(rootfs, 'srv/www/index.html'), join(rootfs, 'srv/www')]);
  execFileSync('chmod', ['2750', join(rootfs, 'srv/www')]);
  return rootfs;
};
const fresh = (name: string): string => {
  mkdirSync(join(root, name));
  return join(root, name);
};

test('copy-up brings content with owners and modes, and the directory’s own', async () => {
  const volume = fresh('v1');
  await copyUp(image('image1'), '/srv/www', volume);
  expect(readFileSync(join(volume, 'index.html'), 'utf8')).toBe('hello');
  expect(statSync(join(volume, 'index.html'))).toMatchObject({ uid: 33, gid: 33, mode: 0o100640 });
  expect(statSync(volume)).toMatchObject({ uid: 33, gid: 33, mode: 0o042750 });
});

test('copy-up leaves a volume alone that has content, and does nothing where the image has nothing', async () => {
  const volume = fresh('v2');
  writeFileSync(join(volume, 'mine'), 'x');
  await copyUp(image('image2'), '/srv/www', volume);
  expect(readdirSync(volume)).toEqual(['mine']);
  const empty = fresh('v3');
  await copyUp(join(root, 'image2'), '/not/there', empty);
  await copyUp(join(root, 'image2'), '/srv/www/index.html', empty);
  expect(readdirSync(empty)).toEqual([]);
});

test('a symbolic link in the image stays inside the image', async () => {
  const rootfs = image('image3');
  symlinkSync('/srv/www', join(rootfs, 'inside'));
  symlinkSync('../../../../../../etc', join(rootfs, 'outside'));
  const inside = fresh('v4');
  await copyUp(rootfs, '/inside', inside);
  expect(readdirSync(inside)).toEqual(['index.html']);
  const outside = fresh('v5');
  await copyUp(rootfs, '/outside', outside);
  expect(readdirSync(outside)).toEqual([]);
});
