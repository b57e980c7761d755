/** Each setting of a container, watched from inside a real one. */
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { MountPoint } from '../../src/model/container.js';
import { container, makeWorld, type World } from './runtime-world.js';

let world: World;
beforeAll(async () => {
  world = await makeWorld();
});
afterAll(() => world.close());

const mount = (over: Partial<MountPoint>): MountPoint => ({
  type: 'bind',
  name: '',
  source: '',
  destination: '',
  mode: '',
  rw: true,
  propagation: 'rprivate',
  driver: '',
  options: '',
  ...over,
});
const trimmed = async (script: string, wishes = {}) => {
  const { out, err } = await world.shell(script, wishes);
  return (out + err).trim();
};
const MEBI = 1024 * 1024;

describe('who', () => {
  test.each([
    ['alice', 'uid=1000(alice) gid=1001(users) groups=10(wheel),1001(users)'],
    ['1000', 'uid=1000(alice) gid=1001(users) groups=10(wheel),1001(users)'],
    ['alice:video', 'uid=1000(alice) gid=44(video) groups=44(video)'],
    ['4242:17', 'uid=4242 gid=17 groups=17'],
    ['', 'uid=0(root) gid=0(root) groups=0(root)'],
  ])('user %j', async (User, expected) => {
    const out = await trimmed('id', { config: { User } });
    expect(
      out.replace(/groups=(.*)/, (_, groups: string) => `groups=${groups.split(',').toSorted().join(',')}`),
    ).toBe(expected);
  });

  test('an unknown user is refused in Docker’s words', async () => {
    await expect(
      world.runtime.create(world.request(container(['id'], { config: { User: 'bob' } }))),
    ).rejects.toThrow('unable to find user bob: no matching entries in passwd file');
  });

  test('an account file that leads out of the root by a link is not followed', async () => {
    const root = join(world.base, 'linked');
    mkdirSync(join(root, 'etc'), { recursive: true });
    writeFileSync(join(world.base, 'secret'), 'bob:x:7:7::/:/bin/sh\n');
    symlinkSync(join(world.base, 'secret'), join(root, 'etc/passwd'));
    const request = world.request(container(['id'], { config: { User: 'bob' } }), {
      request: { rootfs: root },
    });
    await expect(world.runtime.create(request)).rejects.toThrow('unable to find user bob');
  });

  test('environment: image, container, hostname, home; hostname and domain set', async () => {
    const out = await trimmed('env; hostname; cat /proc/sys/kernel/domainname', {
      config: { Env: ['A=2', 'C=3'] },
      request: { hostname: 'web', domainname: 'example.org', env: ['LINK=1'] },
    });
    expect(out.split('\n')).toEqual(
      expect.arrayContaining(['A=2', 'C=3', 'LINK=1', 'HOSTNAME=web', 'HOME=/root', 'web', 'example.org']),
    );
  });

  test('a working directory that is missing is made', async () => {
    expect(await trimmed('pwd', { config: { WorkingDir: '/srv/app' } })).toBe('/srv/app');
  });

  test('group-add', async () => {
    expect(await trimmed('id -G', { host: { GroupAdd: ['video', '99'] } })).toBe('0 44 99');
  });
});

describe('what it may', () => {
  const caps = async (host: object, config = {}) =>
    /CapEff:\s*(\S+)/.exec(await trimmed('cat /proc/self/status', { host, config }))?.[1];

  test('capabilities: default, dropped, added, none for another user', async () => {
    expect(await caps({})).toBe('00000000a80425fb');
    expect(await caps({ CapDrop: ['ALL'] })).toBe('0000000000000000');
    expect(await caps({ CapDrop: ['ALL'], CapAdd: ['NET_ADMIN'] })).toBe('0000000000001000');
    expect(await caps({}, { User: '1000' })).toBe('0000000000000000');
  });

  test('seccomp: the default filter forbids what unconfined allows; compiled once and reused', async () => {
    const script = 'grep Seccomp: /proc/self/status; /bin/busybox unshare -U echo free';
    const cap = { CapAdd: ['SYS_ADMIN'] };
    for (let run = 0; run < 2; run++) {
      expect(await trimmed('grep Seccomp: /proc/self/status')).toMatch(/Seccomp:\s+2/);
      expect(await trimmed('/bin/busybox unshare -U true')).toContain('Operation not permitted');
    }
    expect(await trimmed(script, { host: { SecurityOpt: ['seccomp=unconfined'] } })).toMatch(
      /Seccomp:\s+0\nfree/,
    );
    expect(await trimmed('/bin/busybox unshare -u echo yes', { host: cap })).toBe('yes');
  });

  test('a seccomp profile of the user’s own', async () => {
    const profile = JSON.stringify({
      defaultAction: 'SCMP_ACT_ALLOW',
      syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 13 }],
    });
    expect(
      await trimmed('mkdir /tmp/forbidden', { host: { SecurityOpt: [`seccomp=${profile}`] } }),
    ).toContain('Permission denied');
    await expect(
      world.runtime.create(world.request(container(['true'], { host: { SecurityOpt: ['seccomp={'] } }))),
    ).rejects.toMatchObject({ kind: 'invalid' });
  });

  test('no-new-privileges', async () => {
    expect(
      await trimmed('grep NoNewPrivs /proc/self/status', { host: { SecurityOpt: ['no-new-privileges'] } }),
    ).toMatch(/1$/);
    expect(await trimmed('grep NoNewPrivs /proc/self/status')).toMatch(/0$/);
  });

  test('read-only root; /dev/shm and a tmpfs stay writable', async () => {
    const out = await trimmed(
      'touch /x 2>&1; touch /scratch/y && echo scratch; touch /dev/shm/z && echo shm',
      {
        host: { ReadonlyRootfs: true, Tmpfs: { '/scratch': 'size=1m' } },
      },
    );
    expect(out).toBe('touch: /x: Read-only file system\nscratch\nshm');
  });

  test('paths of the host are masked and read-only; not so when privileged', async () => {
    const script =
      'wc -c < /proc/interrupts; echo x > /proc/sys/kernel/domainname && echo written; ls -d /dev/loop-control';
    const out = await trimmed(script);
    expect(out).toMatch(/^0\n/);
    expect(out).toContain('Read-only file system');
    expect(await trimmed('mount -t tmpfs none /tmp && echo mounted', { host: { Privileged: true } })).toBe(
      'mounted',
    );
  });

  test('device rules: null is there, a disk is not to be had', async () => {
    const out = await trimmed(
      'echo x > /dev/null && echo null; mknod /tmp/d b 7 0 && cat /tmp/d 2>&1; mknod /tmp/n c 1 3',
    );
    expect(out).toMatch(/^null\ncat: can't open '\/tmp\/d': Operation not permitted/);
  });

  test('--device', async () => {
    const out = await trimmed('dd if=/dev/mine bs=1 count=3 2>/dev/null | wc -c', {
      host: { Devices: [{ PathOnHost: '/dev/zero', PathInContainer: '/dev/mine', CgroupPermissions: 'r' }] },
    });
    expect(out).toBe('3');
    const missing = container(['true'], {
      host: { Devices: [{ PathOnHost: '/dev/nope', PathInContainer: '/dev/x', CgroupPermissions: 'rwm' }] },
    });
    await expect(world.runtime.create(world.request(missing))).rejects.toThrow('no such file or directory');
  });
});

describe('how much', () => {
  test('out of memory is killed and told', async () => {
    const { exit } = await world.shell('x=$(yes | head -c 100000000 | tr -d "\\n"); test -n "$x"', {
      host: { Memory: 16 * MEBI, MemorySwap: 16 * MEBI },
    });
    expect([exit.exitCode, exit.oomKilled]).toEqual([137, true]);
  });

  test('memory, cpu, pids limits are in the cgroup', async () => {
    const out = await trimmed(
      'cd /sys/fs/cgroup; cat memory/memory.limit_in_bytes cpu/cpu.cfs_quota_us cpu/cpu.shares pids/pids.max cpuset/cpuset.cpus || cat memory.max cpu.max pids.max',
      { host: { Memory: 64 * MEBI, NanoCpus: 500_000_000, CpuShares: 512, PidsLimit: 33, CpusetCpus: '0' } },
    );
    expect(out).toContain(String(64 * MEBI));
    expect(out).toContain('50000');
    expect(out).toContain('33');
  });

  test('a fork bomb stops at the pids limit', async () => {
    const { err } = await world.shell('for i in 1 2 3 4 5 6 7 8 9; do sleep 1 & done', {
      host: { PidsLimit: 5 },
    });
    expect(err).toMatch(/can't fork|Resource temporarily unavailable/);
  });

  test('ulimits', async () => {
    expect(
      await trimmed('ulimit -n; ulimit -Hn; ulimit -c', {
        host: {
          Ulimits: [
            { Name: 'nofile', Soft: 100, Hard: 200 },
            { Name: 'core', Soft: 0, Hard: -1 },
          ],
        },
      }),
    ).toBe('100\n200\n0');
  });

  test('oom score, shm size', async () => {
    expect(await trimmed('cat /proc/self/oom_score_adj', { host: { OomScoreAdj: 321 } })).toBe('321');
    expect(await trimmed('mount | grep /dev/shm', { host: { ShmSize: 8 * MEBI } })).toContain('size=8192k');
  });

  test('sysctls of the namespaces', async () => {
    expect(
      await trimmed('cat /proc/sys/kernel/msgmax', { request: { sysctls: { 'kernel.msgmax': '12345' } } }),
    ).toBe('12345');
  });
});

describe('what it sees', () => {
  test('binds, read-only binds, one in the other, files, tmpfs with a size', async () => {
    const outer = join(world.base, 'outer');
    mkdirSync(join(outer, 'inner'), { recursive: true });
    writeFileSync(join(outer, 'a'), 'from host\n');
    const out = await trimmed(
      'cat /m/a; touch /m/b && echo rw; touch /m/inner/c; mount | grep -c "/t .*size=1024k"; cat /one',
      {
        mounts: [
          mount({ source: outer, destination: '/m/inner', rw: false }),
          mount({ source: outer, destination: '/m' }),
          mount({ source: join(outer, 'a'), destination: '/one' }),
          mount({ type: 'tmpfs', destination: '/t', options: 'size=1m' }),
        ],
      },
    );
    expect(out.split('\n').toSorted()).toEqual(
      ['1', 'from host', 'from host', 'rw', 'touch: /m/inner/c: Read-only file system'].toSorted(),
    );
  });

  test('files of /etc', async () => {
    const file = join(world.base, 'hosts');
    writeFileSync(file, '10.0.0.1 db\n');
    expect(await trimmed('cat /etc/hosts', { request: { etc: { hosts: file } } })).toBe('10.0.0.1 db');
  });

  test('its own processes only, unless the pid namespace is the host’s or another’s', async () => {
    expect(await trimmed('echo $$')).toBe('1');
    const other = await world.launch(['sleep', '100']);
    const out = await trimmed('ps', {
      host: { PidMode: `container:${other.id}` },
      request: { pidOf: { pid: other.pid } },
    });
    expect(out).toContain('sleep 100');
    await world.runtime.delete(other.id);
    expect(Number(await trimmed('echo $$', { host: { PidMode: 'host' } }))).toBeGreaterThan(1);
  });

  test('shared memory of a shareable container; a private one refuses', async () => {
    const donor = await world.launch(['sh', '-c', 'echo shared > /dev/shm/f; sleep 100'], {
      host: { IpcMode: 'shareable' },
    });
    await expect
      .poll(() =>
        trimmed('cat /dev/shm/f', {
          host: { IpcMode: `container:${donor.id}` },
          request: { pidOf: { ipc: donor.pid } },
        }),
      )
      .toBe('shared');
    await world.runtime.delete(donor.id);
    const selfish = await world.launch(['sleep', '100']);
    const guest = container(['true'], { host: { IpcMode: `container:${selfish.id}` } });
    await expect(
      world.runtime.create(world.request(guest, { request: { pidOf: { ipc: selfish.pid } } })),
    ).rejects.toThrow('non-shareable IPC');
    expect(readFileSync('/proc/self/mounts', 'utf8')).not.toContain(join(world.base, 'run', donor.id));
  });

  test('--init reaps and passes signals on', async () => {
    const { id, exited, streams } = await world.launch(
      [
        'sh',
        '-c',
        'trap "exit 6" TERM; readlink /proc/1/exe; cat /proc/1/cmdline | tr "\\0" " "; while :; do sleep 0.1; done',
      ],
      { request: { init: true } },
    );
    const first = await new Promise((resolve) =>
      streams.stdout.once('data', (chunk: Buffer) => resolve(String(chunk))),
    );
    expect(first).toContain('docker-init');
    await world.runtime.kill(id, 15);
    expect((await exited).exitCode).toBe(6);
  });
});
