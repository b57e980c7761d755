/** Volumes with devices, and copy-up from an image. */
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
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { copyUp, createVolumes, type VolumesOptions } from '../../src/engine/volumes/index.js';
import * as ffi from '../../src/kernel/ffi.js';
import { addressOfHost } from '../../src/kernel/host-address.js';
import { isMounted, mountsBelow } from '../../src/kernel/mount-table.js';
import { createRemoteMounts } from '../../src/kernel/remote-mount.js';
import { until } from '../support/run.js';

let root = '';
// A mount namespace of its own would be this thread's alone, and volumes are mounted in others.
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'viaduct-volumes-'));
});
afterAll(() => {
  for (const path of mountsBelow(root).toReversed()) ffi.umount(path);
  rmSync(root, { recursive: true, force: true });
});

/** Whoever is asked for an address, with what ends the asking. */
let asked: { host: string; answer: (address: string) => void; signal: AbortSignal | undefined } | undefined;
const open = (more: Partial<VolumesOptions> = {}) =>
  createVolumes({
    dataRoot: root,
    usedBy: () => [],
    remote: createRemoteMounts(),
    publish: () => {},
    addressOf: (host, signal) =>
      new Promise((answer, reject) => {
        asked = { host, answer, signal };
        signal?.addEventListener('abort', () => reject(new Error('context canceled')));
      }),
    ...more,
  });

test('a tmpfs volume is mounted while used, twice is once, and found mounted after a restart', async () => {
  const volumes = open();
  const options = { type: 'tmpfs', device: 'tmpfs', o: 'size=1m,nosuid' };
  const { mountpoint } = volumes.create({ name: 'scratch', driver: 'local', options, labels: {} });
  expect(isMounted(mountpoint)).toBe(false);
  await volumes.ready('scratch');
  writeFileSync(join(mountpoint, 'file'), 'x');
  await volumes.ready('scratch');
  await open().ready('scratch');
  expect(readdirSync(mountpoint)).toEqual(['file']);
  expect(execFileSync('findmnt', ['-no', 'OPTIONS', mountpoint], { encoding: 'utf8' })).toMatch(
    /nosuid.*size=1024k/,
  );
  await volumes.unmount('scratch');
  expect(isMounted(mountpoint)).toBe(false);
});

test('a read-only bind keeps what is behind it, also when the volume is removed', async () => {
  const behind = join(root, 'behind');
  mkdirSync(behind);
  writeFileSync(join(behind, 'precious'), 'x');
  const volumes = open();
  const options = { type: 'none', device: behind, o: 'bind,ro' };
  const { mountpoint } = volumes.create({ name: 'bound', driver: 'local', options, labels: {} });
  await volumes.ready('bound');
  expect(() => writeFileSync(join(mountpoint, 'new'), 'x')).toThrow('EROFS');
  await volumes.remove('bound', false);
  expect(readdirSync(behind)).toEqual(['precious']);
  expect(existsSync(mountpoint)).toBe(false);
});

test('a volume with something mounted below it is not deleted', async () => {
  const volumes = open();
  const { mountpoint } = volumes.create({ name: 'nested', driver: 'local', options: {}, labels: {} });
  const inner = join(mountpoint, 'inner');
  mkdirSync(inner);
  ffi.mount('tmpfs', inner, 'tmpfs', 0, '');
  await expect(volumes.remove('nested', false)).rejects.toThrow('volume has active mounts');
  ffi.umount(inner);
  await volumes.remove('nested', false);
});

test('a device that is not there is an error that keeps no secret and leaves no mount', async () => {
  const volumes = open();
  const options = { type: 'ext4', device: '/dev/not-there', o: 'password=secret' };
  const { mountpoint } = volumes.create({ name: 'missing', driver: 'local', options, labels: {} });
  await expect(volumes.ready('missing')).rejects.toThrow(
    /failed to mount local volume: .*password=\*{8}: mount .*EINVAL/,
  );
  expect(isMounted(mountpoint)).toBe(false);
});

describe('A K10: the host of a device is asked for while the daemon goes on', () => {
  const nfs = { type: 'nfs-of-no-kernel', device: ':/export', o: 'addr=files.example,password=secret,ro' };

  test('others are mounted meanwhile; the address takes the name’s place', async () => {
    const volumes = open();
    volumes.create({ name: 'remote', driver: 'local', options: nfs, labels: {} });
    const options = { type: 'tmpfs', device: 'tmpfs' };
    volumes.create({ name: 'quick', driver: 'local', options, labels: {} });
    const ready = volumes.ready('remote');
    await volumes.ready('quick');
    expect(isMounted(volumes.directory('quick'))).toBe(true);
    await volumes.unmount('quick');
    await vi.waitFor(() => expect(asked?.host).toBe('files.example'));
    asked?.answer('192.0.2.7');
    // The system's own `mount` says what its kernel lacks.
    await expect(ready).rejects.toThrow(
      /failed to mount local volume: mount :\/export:.*data: addr=192\.0\.2\.7,password=\*{8},ro: unknown filesystem type/,
    );
    expect(() => volumes.directory('remote')).toThrow('it is not mounted any more');
    await volumes.remove('remote', false);
  });

  test('whoever leaves ends the asking, and nothing is mounted', async () => {
    const volumes = open();
    volumes.create({ name: 'remote', driver: 'local', options: nfs, labels: {} });
    const left = new AbortController();
    const ready = volumes.ready('remote', left.signal);
    left.abort();
    await expect(ready).rejects.toThrow(/failed to mount local volume: .*\*{8}.*: context canceled/);
    await volumes.remove('remote', false);
    expect(() => volumes.ready('remote')).toThrow('no such volume');
  });

  test('the system’s resolver answers, refuses, or is ended with all that it started', async () => {
    expect(await addressOfHost('127.0.0.5')).toBe('127.0.0.5');
    await expect(addressOfHost('--version')).rejects.toThrow();
    const bin = fresh('bin');
    writeFileSync(join(bin, 'getent'), `#!/bin/sh\necho $$ >${bin}/pid\nsleep 600\n`, { mode: 0o755 });
    const path = process.env.PATH;
    process.env.PATH = `${bin}:${path}`;
    try {
      await expect(addressOfHost('slow', undefined, 100)).rejects.toThrow('getent');
      rmSync(join(bin, 'pid'), { force: true });
      const left = new AbortController();
      const asking = addressOfHost('slow', left.signal);
      asking.catch(() => {});
      const pid = await until(
        'it asks',
        () => existsSync(join(bin, 'pid')) && readFileSync(join(bin, 'pid'), 'utf8').trim(),
      );
      left.abort();
      await expect(asking).rejects.toThrow('context canceled');
      expect(existsSync(`/proc/${pid}`)).toBe(false);
    } finally {
      process.env.PATH = path;
    }
  });
});

describe('10.5: a device of the network is mounted by a child', () => {
  const nfs = { type: 'nfs', device: ':/export', o: 'addr=192.0.2.7,password=secret' };
  const SLOW = (bin: string) => `echo $$ >${bin}/pid.new && mv ${bin}/pid.new ${bin}/pid && exec sleep 600`;

  /** `work` with programs of the test's own before the system's. */
  const withPrograms = async (
    programs: (bin: string) => Readonly<Record<string, string>>,
    work: (bin: string) => Promise<void>,
  ) => {
    const bin = mkdtempSync(join(root, 'bin-'));
    for (const [name, script] of Object.entries(programs(bin)))
      writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    const path = process.env.PATH;
    process.env.PATH = `${bin}:${path}`;
    try {
      await work(bin);
    } finally {
      process.env.PATH = path;
    }
  };
  const create = (more: Partial<VolumesOptions> = {}) => {
    const volumes = open(more);
    const { mountpoint } = volumes.create({ name: 'share', driver: 'local', options: nfs, labels: {} });
    return { volumes, mountpoint };
  };
  const pidIn = (bin: string) =>
    until(
      'it is started',
      () => existsSync(join(bin, 'pid')) && readFileSync(join(bin, 'pid'), 'utf8').trim(),
    );

  test('in our mount namespace, with the options that were asked for, whatever signs they have', async () => {
    const directory = join(root, 'a b#c');
    mkdirSync(directory);
    const { mount, unmount } = createRemoteMounts();
    await mount(directory, { type: 'tmpfs', device: 'some where', options: 'size=1m,nosuid,mode=700' });
    expect(execFileSync('findmnt', ['-rno', 'SOURCE,OPTIONS', directory], { encoding: 'utf8' })).toMatch(
      /some\\x20where .*nosuid.*size=1024k,mode=700/,
    );
    expect(existsSync(`${directory}.fstab`)).toBe(false);
    await unmount(directory);
    expect(isMounted(directory)).toBe(false);
  });

  test('a server that does not answer: it says so in time, and nothing of it stays', async () => {
    await withPrograms(
      (bin) => ({ mount: SLOW(bin) }),
      async (bin) => {
        const { volumes, mountpoint } = create({ remote: createRemoteMounts(300) });
        const ready = volumes.ready('share');
        ready.catch(() => {});
        const pid = await pidIn(bin);
        await expect(ready).rejects.toThrow(
          /failed to mount local volume: mount :\/export:.*password=\*{8}: mount was given up: it did nothing for 0.3 seconds/,
        );
        expect(existsSync(`/proc/${pid}`)).toBe(false);
        expect(existsSync(`${mountpoint}.fstab`)).toBe(false);
        await volumes.remove('share', false);
      },
    );
  });

  test('whoever leaves is let go, and ends it; a command line has no password', async () => {
    await withPrograms(
      (bin) => ({ mount: `echo "$@" >${bin}/args; ${SLOW(bin)}` }),
      async (bin) => {
        const { volumes, mountpoint } = create();
        const left = new AbortController();
        const ready = volumes.ready('share', left.signal);
        ready.catch(() => {});
        const pid = await pidIn(bin);
        expect(readFileSync(join(bin, 'args'), 'utf8')).not.toContain('secret');
        expect(statSync(`${mountpoint}.fstab`).mode & 0o777).toBe(0o600);
        left.abort();
        await expect(ready).rejects.toThrow(/failed to mount local volume: .*: context canceled/);
        await until('it has ended', () => !existsSync(`/proc/${pid}`));
        await volumes.remove('share', false);
      },
    );
  });

  test('two that want it at once get one mount; the next one comes after its unmounting', async () => {
    await withPrograms(
      (bin) => ({
        mount: `echo mount >>${bin}/calls; for d; do :; done; exec /bin/mount -n -t tmpfs tmpfs "$d"`,
        umount: `echo umount >>${bin}/calls; for d; do :; done; exec /bin/umount -n "$d"`,
      }),
      async (bin) => {
        const { volumes, mountpoint } = create();
        await Promise.all([volumes.ready('share'), volumes.ready('share')]);
        expect(volumes.directory('share')).toBe(mountpoint);
        void volumes.unmount('share');
        await volumes.ready('share');
        expect(isMounted(mountpoint)).toBe(true);
        expect(readFileSync(join(bin, 'calls'), 'utf8').trim().split('\n')).toEqual([
          'mount',
          'umount',
          'mount',
        ]);
        await volumes.remove('share', false);
        expect(isMounted(mountpoint)).toBe(false);
      },
    );
  });
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
