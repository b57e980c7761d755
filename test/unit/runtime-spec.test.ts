/** The pure half of the runtime: settings to an OCI config. */
import { describe, expect, test } from 'vitest';
import type { MountPoint } from '../../src/model/container.js';
import { logArguments } from '../../src/runtime/conmon.js';
import { createFailure, execFailure } from '../../src/runtime/failure.js';
import { parseInterfaces } from '../../src/runtime/network-usage.js';
import {
  CAPABILITIES,
  capabilitiesOfMask,
  containerCapabilities,
  processCapabilities,
} from '../../src/runtime/spec/capabilities.js';
import { containerSpec, type HostFacts, type StartFacts, specText } from '../../src/runtime/spec/config.js';
import { mergeEnvironment } from '../../src/runtime/spec/environment.js';
import { resolveSeccomp } from '../../src/runtime/spec/seccomp.js';
import { parseSecurityOptions } from '../../src/runtime/spec/security.js';
import { resolveUser } from '../../src/runtime/spec/user.js';
import { selectProcesses } from '../../src/runtime/top.js';
import { container, IMAGE, type Wishes } from '../kernel/runtime-world.js';

const HOST: HostFacts = {
  cgroup: { version: 2, swap: true, blkioWeight: true },
  capabilities: CAPABILITIES,
  arch: 'amd64',
  kernel: [6, 1],
  maskedPaths: [],
};
const FACTS: StartFacts = {
  host: HOST,
  user: { uid: 0, gid: 0, additionalGids: [0], home: '/root' },
  devices: [],
  init: '',
  shm: '',
  files: new Set(),
};

const POINT: MountPoint = {
  type: 'bind',
  name: '',
  source: '/src',
  destination: '/there',
  mode: '',
  rw: false,
  propagation: '',
  driver: '',
  options: '',
};

const spec = (wishes: Wishes = {}, facts: Partial<StartFacts> = {}) =>
  containerSpec(
    {
      container: container(['sh'], wishes),
      image: IMAGE,
      rootfs: '/root',
      netns: '/run/ns',
      etc: {},
      env: [],
      hostname: 'box',
      domainname: '',
      init: false,
      sysctls: {},
      ...wishes.request,
    },
    { ...FACTS, ...facts },
    { annotations: {} },
  );

describe('capabilities', () => {
  test.each([
    [{}, 14],
    [{ CapAdd: ['ALL'] }, 41],
    [{ CapDrop: ['ALL'] }, 0],
    [{ CapDrop: ['all'], CapAdd: ['cap_net_admin', 'KILL'] }, 2],
    [{ CapAdd: ['ALL'], CapDrop: ['SYS_ADMIN'] }, 40],
    [{ CapDrop: ['CHOWN', 'NET_ADMIN'] }, 13],
    [{ Privileged: true }, 41],
  ])('%j gives %i', (request, count) => {
    expect(containerCapabilities(request, CAPABILITIES)).toHaveLength(count);
  });

  test('never more than the daemon has; unknown ones refused; none effective but for root', () => {
    const available = capabilitiesOfMask('1');
    expect(available).toEqual(['CAP_CHOWN']);
    expect(containerCapabilities({ CapAdd: ['ALL', 'SYS_ADMIN'] }, available)).toEqual(['CAP_CHOWN']);
    expect(() => containerCapabilities({ CapAdd: ['MAGIC'] }, available)).toThrow(
      'invalid capability: "MAGIC"',
    );
    expect(processCapabilities(available, 5)).toMatchObject({
      bounding: available,
      effective: [],
      permitted: [],
    });
  });
});

describe('users', () => {
  const accounts = {
    passwd: '# comment\nroot:x:0:0::/root:\n1234:x:50:60::/n:\nweb:x:33:34::/var/www:\n',
    group: 'root:x:0:\nwww:x:34:\nextra:x:70:web,other\n',
  };
  test.each([
    ['', 0, 0, [0]],
    ['web', 33, 34, [34, 70]],
    ['web:extra', 33, 70, [70]],
    ['33', 33, 34, [34, 70]],
    ['1234', 50, 60, [60]],
    ['999', 999, 0, [0]],
    ['999:888', 999, 888, [888]],
    ['web:', 33, 34, [34, 70]],
  ])('%j', (user, uid, gid, additionalGids) => {
    expect(resolveUser(user, [], accounts)).toMatchObject({ uid, gid, additionalGids });
  });
  test.each([
    ['nobody', 'unable to find user nobody: no matching entries in passwd file'],
    ['web:nogroup', 'unable to find group nogroup: no matching entries in group file'],
    ['4294967295', 'uids and gids must be in range 0-2147483647'],
    ['-1', 'unable to find user -1: no matching entries in passwd file'],
  ])('%j is refused', (user, words) => {
    expect(() => resolveUser(user, [], accounts)).toThrow(words);
  });
});

test('later environment replaces in place, a bare name removes', () => {
  expect(mergeEnvironment(['A=1', 'B=2', 'C=3'], ['B=4=5', 'A', 'D='], ['=x'])).toEqual([
    'B=4=5',
    'C=3',
    'D=',
  ]);
});

describe('security options', () => {
  test('in all their spellings', () => {
    expect(
      parseSecurityOptions(['no-new-privileges:true', 'seccomp:unconfined', 'apparmor=x', 'label=disable']),
    ).toEqual({
      noNewPrivileges: true,
      seccomp: 'unconfined',
      apparmor: 'x',
      systemPathsUnconfined: false,
    });
    expect(parseSecurityOptions(['no-new-privileges=false']).noNewPrivileges).toBe(false);
    for (const option of [
      'magic',
      'seccomp',
      'no-new-privileges=maybe',
      'constructor=1',
      'no-new-privileges=toString',
    ])
      expect(() => parseSecurityOptions([option])).toThrow('invalid --security-opt 2');
  });

  test('the default filter follows capabilities and architecture', () => {
    const allows = (capabilities: readonly string[], arch = 'amd64') => {
      const rules = resolveSeccomp('', { arch, kernel: [6, 1], capabilities })?.syscalls ?? [];
      return (name: string) =>
        rules.some((rule) => rule.names.includes(name) && rule.action === 'SCMP_ACT_ALLOW' && !rule.args);
    };
    const plain = allows([]);
    expect(
      [
        'read',
        'openat',
        'clone',
        'mount',
        'ptrace',
        'arch_prctl',
        'reboot',
        'socket',
        'keyctl',
        'add_key',
        'userfaultfd',
        'io_uring_setup',
        'kexec_load',
      ].filter(plain),
    ).toEqual(['read', 'openat', 'ptrace', 'arch_prctl']);
    expect(['mount', 'clone', 'bpf'].every(allows(['CAP_SYS_ADMIN']))).toBe(true);
    expect(allows([], 'arm64')('arch_prctl')).toBe(false);
  });
});

describe('config.json', () => {
  test('namespaces: private, host, of others', () => {
    const types = (wishes: Wishes) =>
      spec(wishes).linux.namespaces.map(({ type, path }) => (path ? `${type}=${path}` : type));
    expect(types({})).toEqual(['mount', 'network=/run/ns', 'pid', 'ipc', 'uts', 'cgroup']);
    expect(
      types({
        host: { PidMode: 'host', IpcMode: 'host', UTSMode: 'host', CgroupnsMode: 'host' },
        request: { netns: '' },
      }),
    ).toEqual(['mount']);
    expect(types({ request: { pidOf: { pid: 7, ipc: 8 } } })).toContain('pid=/proc/7/ns/pid');
    expect(spec({ host: { UTSMode: 'host' } }).hostname).toBeUndefined();
  });

  test('limits: --memory alone doubles as swap; --cpus becomes a quota; unlimited is spelled for the runtime', () => {
    const { resources } = spec({ host: { Memory: 1000, NanoCpus: 1_500_000_000, PidsLimit: -1 } }).linux;
    expect(resources).toMatchObject({
      memory: { limit: 1000, swap: 2000 },
      cpu: { period: 100_000, quota: 150_000 },
    });
    expect(resources.pids).toBeUndefined();
    const noSwap = { host: { ...HOST, cgroup: { ...HOST.cgroup, swap: false } } };
    expect(spec({ host: { Memory: 1000 } }, noSwap).linux.resources.memory).toEqual({ limit: 1000 });
    const text = specText(
      spec({
        host: { Ulimits: [{ Name: 'nofile', Soft: -1, Hard: -1 }] },
        config: { Env: ['X="hard":-1,'] },
      }),
    );
    expect(text).toContain('"soft":18446744073709551615,"hard":18446744073709551615');
    expect(JSON.parse(text).process.env).toContain('X="hard":-1,');
  });

  test('a user’s mount takes the place of ours; outer ones come first; propagation reaches the root', () => {
    const point = (destination: string, over = {}) => ({ ...POINT, destination, rw: true, ...over });
    const made = spec({
      mounts: [
        point('/a/b'),
        point('/a', { propagation: 'rslave' }),
        point('/etc/hosts', { rw: false }),
        point('/dev/shm'),
      ],
      request: { etc: { hosts: '/h', resolvConf: '/r' } },
    });
    const destinations = made.mounts.map(({ destination }) => destination);
    expect(destinations.indexOf('/a')).toBeLessThan(destinations.indexOf('/a/b'));
    expect(new Set(destinations).size).toBe(destinations.length);
    expect(made.mounts.find(({ destination }) => destination === '/etc/hosts')).toMatchObject({
      source: '/src',
      options: ['rbind', 'rprivate', 'rro'],
    });
    expect(made.linux.rootfsPropagation).toBe('rslave');
  });

  test('M32: with a read-only root our files in /etc are read-only', () => {
    const options = (ReadonlyRootfs: boolean) =>
      spec({ host: { ReadonlyRootfs }, request: { etc: { hosts: '/h' } } }).mounts.find(
        ({ destination }) => destination === '/etc/hosts',
      )?.options;
    expect(options(false)).toEqual(['rbind', 'rprivate']);
    expect(options(true)).toEqual(['rbind', 'rprivate', 'ro']);
  });

  test('M29: recursively read-only is for directories, also where it is asked for; a file is read-only', () => {
    const given = [{}, { readOnlyBelow: 'must' }, { readOnlyBelow: 'no' }, { rw: true }].map((over) => ({
      ...POINT,
      ...over,
    }));
    const access = (files: readonly string[]) =>
      given.map(
        (mount) =>
          spec({ mounts: [mount as MountPoint] }, { files: new Set(files) }).mounts.find(
            ({ destination }) => destination === '/there',
          )?.options[2],
      );
    expect(access([])).toEqual(['rro', 'rro', 'ro', 'rw']);
    expect(access(['/src'])).toEqual(['ro', 'ro', 'ro', 'rw']);
  });

  test('privileged: every capability, nothing masked, every device', () => {
    const { process, linux } = spec({ host: { Privileged: true } });
    expect(process.capabilities.effective).toHaveLength(41);
    expect([linux.maskedPaths, linux.readonlyPaths]).toEqual([[], []]);
    expect(linux.resources.devices).toEqual([{ allow: true, access: 'rwm' }]);
  });

  test('init goes before the command', () => {
    expect(spec({}, { init: '/usr/bin/tini' }).process.args).toEqual(['/sbin/docker-init', '--', 'sh']);
  });
});

test('rotation: one file of the size of all', () => {
  const of = (Config: Record<string, string>, Type = 'json-file') => logArguments('/l', { Type, Config });
  expect(of({ 'max-size': '10m', 'max-file': '3' })).toEqual([
    '--log-path=k8s-file:/l',
    '--log-size-max=31457280',
  ]);
  expect(of({ 'max-size': '1.5k' })[1]).toBe('--log-size-max=1536');
  expect(of({ 'max-size': 'junk' })).toEqual(['--log-path=k8s-file:/l']);
  expect(of({}, 'none')).toEqual(['--log-path=none']);
});

test('refusals of the OCI runtime become Docker’s words and exit codes', () => {
  expect(
    createFailure('crun: executable file `x` not found in $PATH: No such file or directory\n'),
  ).toMatchObject({
    exitCode: 127,
    message: expect.stringContaining('exec: "x": executable file not found in $PATH'),
  });
  expect(createFailure('crun: executable file `/no/x` not found: No such file or directory\n')).toMatchObject(
    {
      exitCode: 127,
      message: expect.stringContaining('exec: "/no/x": stat /no/x: no such file or directory: unknown'),
    },
  );
  for (const [said, code, told] of [
    ['the path `/etc` is not a regular file', 126, 'exec: "/etc": is a directory'],
    ['the path `/etc/passwd` exists but it is not executable', 126, 'exec: "/etc/passwd": permission denied'],
  ] as const)
    expect(createFailure(`crun: ${said}: Operation not permitted\n`)).toMatchObject({
      exitCode: code,
      message: expect.stringMatching(new RegExp(`${told}(: unknown)?$`)),
    });
  expect(createFailure('crun: mount `/x` to `/y`: No such file or directory').exitCode).toBe(128);
  for (const errno of ['Permission denied', 'Operation not permitted']) {
    expect(createFailure(`2026-01-02T03:04:05Z: crun: open executable: ${errno}\n`)).toMatchObject({
      exitCode: 126,
      message: expect.stringContaining('open executable: permission denied'),
    });
  }
  expect(execFailure('exec: "/x": permission denied').exitCode).toBe(126);
  expect(createFailure('').message).toContain('unknown failure');
});

test('rows of ps by the PID column, the last column whole', () => {
  const output = 'UID  PID CMD\nroot   1 init\nroot  42 sh -c a  b\n';
  expect(selectProcesses(output, new Set([42]))).toEqual({
    titles: ['UID', 'PID', 'CMD'],
    processes: [['root', '42', 'sh -c a b']],
  });
});

test('interface counters, without loopback', () => {
  const text = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:     100       1    0    0    0     0          0         0      100       1    0    0    0     0       0          0
  eth0:    1000      10    1    2    0     0          0         0     2000      20    3    4    0     0       0          0
`;
  expect(parseInterfaces(text)).toEqual({
    eth0: {
      receivedBytes: 1000,
      receivedPackets: 10,
      receiveErrors: 1,
      receiveDropped: 2,
      sentBytes: 2000,
      sentPackets: 20,
      sendErrors: 3,
      sendDropped: 4,
    },
  });
});
