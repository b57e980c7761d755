/** Files of containers that run and that do not: cp both ways through volumes and binds, export, subpaths, mounts' options. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { exchange } from '../support/exchanger.js';
import { daemonForThisFile } from '../support/phrases.js';

const d = daemonForThisFile({ images: ['alpine'] });

let here = '';
beforeAll(() => {
  here = join(d.world.base, 'files');
  mkdirSync(here);
  writeFileSync(join(here, 'f'), 'sent');
});

const listing = (tar: string): readonly string[] =>
  execFileSync('tar', ['-tPf', tar], { encoding: 'utf8' }).trimEnd().split('\n');
const refusal = async (...args: string[]): Promise<string> => (await d.docker.try(args)).stderr;

describe('U7 C9 M30: cp with volumes and binds of a container that does not run', () => {
  test('U7: into a volume of a created container, read by another', async () => {
    await d.docker('create', '--name', 'hh', '-v', 'data1:/data', 'alpine', 'true');
    await d.docker('cp', join(here, 'f'), 'hh:/data/');
    expect(await d.docker('run', '--rm', '-v', 'data1:/data', 'alpine', 'cat', '/data/f')).toBe('sent');
    await d.docker('cp', 'hh:/data/f', join(here, 'back'));
    expect(readFileSync(join(here, 'back'), 'utf8')).toBe('sent');
  });

  test('C9: of a stopped one, named, anonymous and bind, both ways; also through a link of the image’s', async () => {
    mkdirSync(join(here, 'bind'));
    const mounts = ['-v', 'v9:/vol', '-v', '/anon', '-v', `${here}/bind:/b/deep`];
    const script = 'echo 1 > /vol/one; echo 2 > /anon/two; echo 3 > /b/deep/three; ln -s /vol /tolink';
    await d.docker('run', '--name', 'c9', ...mounts, 'alpine', 'sh', '-c', script);
    for (const [path, text] of [
      ['/vol/one', '1\n'],
      ['/anon/two', '2\n'],
      ['/b/deep/three', '3\n'],
      ['/tolink/../vol/one', '1\n'],
    ] as const) {
      await d.docker('cp', `c9:${path}`, join(here, 'read'));
      expect([path, readFileSync(join(here, 'read'), 'utf8')]).toEqual([path, text]);
    }
    await d.docker('cp', join(here, 'f'), 'c9:/tolink/new');
    await d.docker('cp', join(here, 'f'), 'c9:/b/deep/new');
    expect(readFileSync(join(here, 'bind/new'), 'utf8')).toBe('sent');
    expect(await d.docker('run', '--rm', '--volumes-from', 'c9', 'alpine', 'cat', '/vol/new')).toBe('sent');
  });

  test('C9: files that the first start writes are there before it, empty; what the image has stays', async () => {
    await d.docker('create', '--name', 'early', 'alpine', 'cat', '/etc/resolv.conf');
    const read = async (path: string) => {
      await d.docker('cp', `early:${path}`, join(here, 'early'));
      return readFileSync(join(here, 'early'), 'utf8');
    };
    expect(await read('/etc/resolv.conf')).toBe('');
    expect(await read('/etc/hosts')).toBe('127.0.0.1\tlocalhost\n');
    expect(await d.docker('start', '-a', 'early')).toContain('nameserver');
    expect(await read('/etc/resolv.conf')).toContain('nameserver');
  });

  test('M30: a volume is filled when its container is created, and a working directory made', async () => {
    await d.docker('create', '--name', 'fill', '-v', 'filled:/etc', '-w', '/new/work', 'alpine', 'true');
    const listed = await d.docker('run', '--rm', '-v', 'filled:/x', 'alpine', 'ls', '/x');
    expect(listed).toContain('passwd');
    await d.docker('cp', join(here, 'f'), 'fill:/new/work/f');
    expect(await refusal('create', '-w', '/etc/passwd', 'alpine')).toContain(
      'Cannot mkdir: /etc/passwd is not a directory',
    );
  });

  test('M30: read-only roots and mounts are refused in Docker’s words, running or not', async () => {
    await d.docker('run', '-d', '--name', 'ro', '--read-only', '-v', 'rov:/v:ro', 'alpine', 'sleep', '1000');
    await d.docker('create', '--name', 'ro2', '--read-only', '-v', 'rov:/v:ro', 'alpine', 'true');
    for (const name of ['ro', 'ro2']) {
      expect(await refusal('cp', join(here, 'f'), `${name}:/tmp/f`)).toContain(
        'container rootfs is marked read-only',
      );
      expect(await refusal('cp', join(here, 'f'), `${name}:/v/f`)).toContain(
        'mounted volume is marked read-only',
      );
    }
    await d.docker('rm', '-f', 'ro');
  });

  test('M30 U17: names in archives, and of the container in refusals', async () => {
    await d.docker('create', '--name', 'names', '-v', 'data1:/data', 'alpine', 'true');
    await d.docker('cp', join(here, 'f'), 'names:/data/');
    const tar = join(here, 'x.tar');
    const client = `docker -H unix://${d.socket}`;
    await d.host(`${client} cp names:/data - >${tar}`);
    expect(listing(tar)).toEqual(['data/', 'data/f']);
    await d.host(`${client} cp names:/ - >${tar}`);
    const names = listing(tar);
    expect(names).toContain('/data/f');
    expect(names).toContain('/etc/passwd');
    await d.host(`${client} export names >${tar}`);
    expect(listing(tar)).toContain('etc/passwd');
    expect(listing(tar)).not.toContain('data/f');
    expect(await refusal('cp', 'names:/not/there', here)).toContain(
      'Could not find the file /not/there in container names',
    );
    expect((await d.api('GET', '/containers/names/archive?path=/etc/passwd/')).json).toMatchObject({
      message: expect.stringContaining('not a directory'),
    });
  });

  test('C32: below a tmpfs of a running container, as Docker; its own mounts and files of /etc are seen', async () => {
    await d.docker(
      'create',
      '--name',
      'tt',
      '--tmpfs',
      '/tmp',
      '-v',
      'data1:/data',
      'alpine',
      'sleep',
      '1000',
    );
    await d.docker('cp', join(here, 'f'), 'tt:/tmp/below');
    await d.docker('cp', join(here, 'f'), 'tt:/data/');
    await d.docker('start', 'tt');
    await d.docker('cp', 'tt:/tmp/below', join(here, 'below'));
    expect(existsSync(join(here, 'below'))).toBe(true);
    await d.docker('cp', 'tt:/data/f', join(here, 'running'));
    await d.docker('cp', 'tt:/etc/hosts', join(here, 'hosts'));
    expect(readFileSync(join(here, 'hosts'), 'utf8')).toContain('localhost');
    await d.docker('rm', '-f', 'tt');
  });

  test('copyUIDGID gives files to the container’s user', async () => {
    await d.docker('run', '-d', '--name', 'own', '-u', '7777:8888', 'alpine', 'sleep', '1000');
    const tar = execFileSync('tar', ['-C', here, '-cf', '-', 'f']);
    writeFileSync(join(here, 'own.tar'), tar);
    await d.host(
      `curl -sf --unix-socket ${d.socket} -T ${join(here, 'own.tar')} 'http://d/containers/own/archive?path=/tmp&copyUIDGID=1'`,
    );
    expect(await d.docker('exec', 'own', 'stat', '-c', '%u:%g', '/tmp/f')).toBe('7777:8888');
    await d.docker('rm', '-f', 'own');
  });
});

describe('U8 C5 M26: volume-subpath', () => {
  const mount = (subpath: string) => `type=volume,src=vs,dst=/s,volume-subpath=${subpath}`;

  test('that directory or file alone is mounted, writable, and seen by cp', async () => {
    const script =
      'mkdir -p /v/sub/in; echo s > /v/sub/file; echo o > /v/other; ln -s /etc /v/out; ln -s sub /v/in';
    await d.docker('run', '--rm', '-v', 'vs:/v', 'alpine', 'sh', '-c', script);
    const ls = (subpath: string) => d.docker('run', '--rm', '--mount', mount(subpath), 'alpine', 'ls', '/s');
    expect(await ls('sub')).toBe('file\nin');
    expect(await ls('in')).toBe('file\nin');
    const cat = ['--mount', 'type=volume,src=vs,dst=/one,volume-subpath=sub/file', 'alpine', 'cat', '/one'];
    expect(await d.docker('run', '--rm', ...cat)).toBe('s');
    await d.docker('run', '--name', 'sub', '--mount', mount('sub'), 'alpine', 'touch', '/s/made');
    await d.docker('cp', join(here, 'f'), 'sub:/s/copied');
    const all = await d.docker('run', '--rm', '-v', 'vs:/v', 'alpine', 'ls', '/v/sub');
    expect(all).toBe('copied\nfile\nin\nmade');
    expect(readdirSync(join(d.execRoot, 'subpaths'))).toEqual([]);
  });

  test('one that is missing, leads up or out is refused', async () => {
    await d.docker('run', '--rm', '-v', 'vs:/v', 'alpine', 'ln', '-s', '/etc', '/v/out');
    expect(await refusal('run', '--rm', '--mount', mount('nosuch'), 'alpine')).toContain('no such file');
    expect(await refusal('run', '--rm', '--mount', mount('../..'), 'alpine')).toContain(
      'subpath must be a relative path within the volume',
    );
    // the volume's link to /etc leads to an etc of the volume's, which there is none of
    expect(await refusal('run', '--rm', '--mount', mount('out'), 'alpine')).toContain('no such file');
    expect(readdirSync(join(d.execRoot, 'subpaths'))).toEqual([]);
  });
});

describe('M29: options of mounts', () => {
  test('bind-recursive: all, none, and read-only with what is mounted below', async () => {
    const outer = join(here, 'outer');
    await d.host(`mkdir -p ${outer}/sub; mount -t tmpfs none ${outer}/sub; touch ${outer}/sub/inner`);
    const run = async (options: string, command: string) =>
      (
        await d.docker.try([
          ...['run', '--rm', '--mount', `type=bind,src=${outer},dst=/m,${options}`],
          ...['alpine', 'sh', '-c', command],
        ])
      ).stdout;
    expect(await run('bind-recursive=disabled', 'ls /m/sub')).toBe('');
    expect(await run('bind-recursive=enabled', 'ls /m/sub')).toBe('inner\n');
    const write = 'touch /m/sub/x 2>/dev/null && echo wrote || echo refused';
    expect(await run('readonly', write)).toBe('refused\n');
    expect(await run('readonly,bind-recursive=writable', write)).toBe('wrote\n');
    expect(await run('readonly,bind-recursive=readonly,bind-propagation=rprivate', write)).toBe('refused\n');
    await d.host(`umount ${outer}/sub`);
  });

  test('M29: what the host has mounted below a directory stays when containers and volumes that had it are gone', async () => {
    const outer = join(here, 'lent');
    await d.host(`mkdir -p ${outer}/sub; mount -t tmpfs none ${outer}/sub; touch ${outer}/sub/inner`);
    const device = ['--opt', 'type=none', '--opt', 'o=rbind', '--opt', `device=${outer}`];
    await d.docker('volume', 'create', ...device, 'lent');
    for (const source of [outer, 'lent'])
      expect(await d.docker('run', '--rm', '-v', `${source}:/m`, 'alpine', 'ls', '/m/sub')).toBe('inner');
    await d.docker('volume', 'rm', 'lent');
    expect(await d.host(`ls ${outer}/sub; umount ${outer}/sub`)).toBe('inner');
  });

  test('M29: one file, read-only, also with all below it', async () => {
    const file = join(here, 'one');
    writeFileSync(file, 'content\n');
    for (const options of ['readonly', 'readonly,bind-recursive=readonly,bind-propagation=rprivate'])
      expect(
        await d.docker(
          ...['run', '--rm', '--mount', `type=bind,src=${file},dst=/one,${options}`, 'alpine'],
          ...['sh', '-c', 'cat /one; echo more 2>/dev/null >/one || echo refused'],
        ),
      ).toBe('content\nrefused');
  });

  test('M29 U13 C23: two mounts at one place, modes, another’s volumes', async () => {
    expect(await refusal('create', '-v', 'aa:/y', '-v', 'bb:/y', 'alpine')).toContain(
      'Duplicate mount point: /y',
    );
    expect(await refusal('create', '--tmpfs', '/y', '-v', 'bb:/y', 'alpine')).toContain('Duplicate mount');
    expect(await d.docker('volume', 'ls', '-q')).not.toMatch(/^(aa|bb)$/m);
    await d.docker('create', '--name', 'src', '--mount', 'type=volume,src=zz,dst=/z', 'alpine');
    const mode = await d.docker('inspect', '-f', '{{(index .Mounts 0).Mode}}', 'src');
    expect(mode).toBe('z');
    expect(await refusal('create', '--volumes-from', 'src:bar', 'alpine')).toContain('invalid mode: bar');
    expect(await refusal('create', '--volumes-from', 'src:nocopy', 'alpine')).toContain('invalid mode');
    const missing = await d.api('POST', '/containers/create', {
      Image: 'alpine',
      HostConfig: { VolumesFrom: ['nosuch'] },
    });
    expect(missing.status).toBe(400);
  });

  test('M29: nothing is mounted into /proc', async () => {
    for (const place of ['/proc//sys', '/proc/self', '/proc']) {
      const { code, stderr } = await d.docker.try(['run', '--rm', '-v', `/tmp:${place}`, 'alpine', 'true']);
      expect([code, stderr]).toEqual([125, expect.stringContaining('inside /proc')]);
    }
    await d.docker('run', '--rm', '-v', '/proc/uptime:/proc/uptime', 'alpine', 'true');
  });

  test('M29: nocopy copies nothing; a tmpfs in the place of a VOLUME is the only one there', async () => {
    const nocopy = ['-v', 'empty1:/root/../etc:nocopy', 'alpine', 'ls', '/etc'];
    expect(await d.docker('run', '--rm', ...nocopy)).toBe('');
    const mount = 'type=volume,src=empty2,dst=/etc,volume-nocopy';
    expect(await d.docker('run', '--rm', '--mount', mount, 'alpine', 'ls', '/etc')).toBe('');
    const made = await d.api('POST', '/containers/create?name=tv', {
      Image: 'alpine',
      Volumes: { '/foo': {} },
      HostConfig: { Tmpfs: { '/foo': '' } },
    });
    expect(made.status).toBe(201);
    expect(await d.docker('inspect', '-f', '{{len .Mounts}}', 'tv')).toBe('0');
  });
});

test('A K3: a running container that exchanges names while files are copied changes nothing of the host', async () => {
  await d.docker('run', '-d', '--name', 'racer', 'alpine', 'sleep', '1000');
  const outside = join(here, 'outside');
  mkdirSync(outside, { mode: 0o700 });
  writeFileSync(join(outside, 'f1'), 'secret', { mode: 0o600 });
  await d.docker('exec', 'racer', 'sh', '-c', `mkdir -p /a/d; ln -s ${outside} /a/l; touch /a/d/f1`);
  const pid = (await d.docker('inspect', '-f', '{{.State.Pid}}', 'racer')).trim();
  const inside = `/proc/${pid}/root/a`;
  const exchanger = await exchange([[`${inside}/d`, `${inside}/l`]]);
  try {
    const tar = join(here, 'race.tar');
    await d.host(`cd ${here} && mkdir -p t/d && chmod 777 t/d && touch t/d/f1 && tar -cf ${tar} -C t d d/f1`);
    const put = `curl -s -o /dev/null --unix-socket ${d.socket} -T ${tar} 'http://d/containers/racer/archive?path=/a&noOverwriteDirNonDir=1'`;
    const get = `curl -s --unix-socket ${d.socket} 'http://d/containers/racer/archive?path=/a/d/' | grep -c secret`;
    const said = await d.host.try(`for i in $(seq 20); do ${put}; ${get}; done`);
    expect(said.stdout).not.toMatch(/[1-9]/);
  } finally {
    await exchanger.end();
  }
  expect(statSync(outside).mode & 0o777).toBe(0o700);
  expect(statSync(join(outside, 'f1')).mode & 0o777).toBe(0o600);
  expect(readdirSync(outside)).toEqual(['f1']);
  await d.docker('rm', '-f', 'racer');
});
