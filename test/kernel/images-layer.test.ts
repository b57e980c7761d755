/** A layer's tar of a real overlay: what it has in it, read by GNU tar, and that it is the same each time. */
import { execFileSync } from 'node:child_process';
import { closeSync, lstatSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { bytesBelow } from '../../src/files/size.js';
import { changesIn } from '../../src/images/changes.js';
import { packLayer } from '../../src/images/layer.js';
import * as ffi from '../../src/kernel/ffi.js';
import { attribute, attributeNames, setAttribute } from '../../src/kernel/file-calls.js';

let base = '';
const at = (path: string): string => join(base, path);
const shell = (script: string): string =>
  execFileSync('bash', ['-ec', script], { cwd: base, encoding: 'utf8' }).trim();

const LOWER = `
  mkdir -p lower/etc lower/usr/local/bin lower/var/log upper work root out
  echo a >lower/etc/passwd; echo b >lower/etc/group; echo c >lower/var/log/x; echo d >lower/usr/local/bin/f`;

const CHANGES = `
  cd root
  echo more >>etc/passwd; rm etc/group; rm -r var/log usr/local; mkdir usr/local; echo new >usr/local/new
  echo brief >brief; rm brief
  touch etc/hosts dev 2>/dev/null; rm dev; mkdir -p dev/pts dev/shm dev/mqueue proc sys; echo s >dev/mqueue/kept
  mkdir t; chmod 1777 t; echo linked >t/a; ln t/a t/b; ln t/a z; chown 1000:70000 t/a; chmod 6755 t/a
  mkfifo t/fifo; chown 3000000:4000000 t/fifo; mknod t/null c 1 3; ln -s /etc/../nowhere t/link; chown -h 5:6 t/link
  touch -d '2001-02-03 04:05:06.789Z' t/old; head -c 700001 /dev/urandom >t/big; touch $'t/\\xff\\xfe' 't/Ünï'
  perl -MIO::Socket::UNIX -e 'IO::Socket::UNIX->new(Local => "t/socket", Listen => 1) or die'
  cp /bin/true t/able`;

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'vlayer-'));
  ffi.mount('tmpfs', base, 'tmpfs', 0, '');
  shell(LOWER);
  const layers = `lowerdir=${at('lower')},upperdir=${at('upper')},workdir=${at('work')}`;
  ffi.mount('overlay', at('root'), 'overlay', 0, `${layers},index=off,redirect_dir=off,metacopy=off`);
  shell(CHANGES);
  onHandle('root/t/able', (handle) => setAttribute(handle, 'security.capability', CAPABILITY));
});
afterEach(() => {
  for (const path of [at('root'), base]) ffi.umount(path);
  rmSync(base, { recursive: true });
});

/** cap_net_raw+ep, struct vfs_cap_data of include/uapi/linux/capability.h */
const CAPABILITY = Buffer.from('0100000200200000000000000000000000000000', 'hex');

const onHandle = <T>(path: string, work: (handle: number) => T): T => {
  const handle = ffi.open(at(path), ffi.O.PATH);
  try {
    return work(handle);
  } finally {
    closeSync(handle);
  }
};

const pack = (name: string) => packLayer(at('upper'), [at('lower')], { file: at(name) });

test('A K3: a layer has every kind of file as it is, markers for what is gone, and the same digest again', async () => {
  const layer = await pack('one.tar');
  expect(await pack('two.tar')).toEqual(layer);
  expect(shell('sha256sum <one.tar')).toBe(`${layer?.digest.slice('sha256:'.length)}  -`);
  shell('tar --xattrs --xattrs-include=* -xpf one.tar -C out');
  const found = shell(`cd out; find . -mindepth 1 -printf '%P %y %m %U:%G\\n' | LC_ALL=C sort`);
  expect(found.split('\n')).toEqual(
    [
      ...['dev d 755 0:0', 'dev/mqueue d 755 0:0', 'dev/mqueue/kept f 644 0:0', 'etc d 755 0:0'],
      ...['etc/.wh.group f 644 0:0', 'etc/passwd f 644 0:0', 't d 1777 0:0', 't/a f 6755 1000:70000'],
      ...['t/able f 755 0:0', 't/b f 6755 1000:70000', 't/big f 644 0:0', 't/fifo p 644 3000000:4000000'],
      ...['t/link l 777 5:6', 't/null c 644 0:0', 't/old f 644 0:0', 't/Ünï f 644 0:0', 't/�� f 644 0:0'],
      ...['usr d 755 0:0', 'usr/local d 755 0:0', 'usr/local/.wh..wh..opq f 644 0:0'],
      ...['usr/local/new f 644 0:0', 'var d 755 0:0', 'var/.wh.log f 644 0:0', 'z f 6755 1000:70000'],
    ].toSorted(),
  );
  for (const name of ['t/a', 't/b', 'z']) expect(lstatSync(at(`out/${name}`)).nlink).toBe(3);
  expect(shell('cmp out/t/big upper/t/big; readlink out/t/link; stat -c %Y out/t/old')).toBe(
    '/etc/../nowhere\n981173106',
  );
  expect(onHandle('out/t/able', (handle) => attribute(handle, 'security.capability'))).toEqual(CAPABILITY);
  expect(onHandle('out/usr/local', attributeNames)).toEqual([]);
});

test('A K3: changes and size of the same layer', async () => {
  const changes = await changesIn(at('upper'), [at('lower')]);
  const lines = changes.map(({ Path, Kind }) => `${Kind} ${Path}`);
  for (const line of ['0 /etc/passwd', '2 /etc/group', '2 /var/log', '2 /usr/local/bin', '1 /usr/local/new'])
    expect(lines).toContain(line);
  expect(lines.filter((line) => line.includes('brief'))).toEqual([]);
  const sizes = shell(
    `cd upper; find . ! -type d -printf '%i %s\\n' | sort -u | awk '{s+=$2} END {print s}'`,
  );
  expect(await bytesBelow(at('upper'))).toBe(Number(sizes));
});

test('A K3: nothing written is no layer; a layer that goes meanwhile is none', async () => {
  mkdirSync(at('empty/dev/pts'), { recursive: true });
  expect(await packLayer(at('empty'), [at('lower')], { file: at('none.tar') })).toBeUndefined();
  const packing = packLayer(at('upper'), [at('lower')], { file: at('gone.tar') });
  while ((statSync(at('gone.tar'), { throwIfNoEntry: false })?.size ?? 0) === 0) await setImmediate();
  shell('mv upper elsewhere');
  await expect(packing).rejects.toThrow('removed while it was read');
  shell('mv elsewhere upper');
});
