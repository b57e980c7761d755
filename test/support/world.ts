/**
 * A machine to run a daemon on, made of namespaces: the "host" (network and mount namespaces of its own, with its own
 * /sys and /etc/resolv.conf) and an "outside" behind its uplink, which is the LAN's router and the internet at once.
 *
 *   outside                          host
 *   lo    198.51.100.1  (internet)
 *   eth0  192.0.2.1 ─── veth ──────  eth0  192.0.2.2  192.168.1.100
 *         2001:db8:1::1                    2001:db8:1::2          default routes lead outside
 *
 * Process ids are shared with the machine that runs the tests. Invariant: after `remove` nothing is left of it.
 */
import { execFileSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { attempt, type Result, type RunOptions, run, until } from './run.js';

export const HOST = { ipv4: '192.0.2.2', second: '192.168.1.100', ipv6: '2001:db8:1::2' } as const;
export const OUTSIDE = { ipv4: '192.0.2.1', ipv6: '2001:db8:1::1', internet: '198.51.100.1' } as const;
/** A network on this wire: its subnet and its router; the host's own address is excluded. */
export const LAN: readonly string[] = [
  ...['--subnet', '192.0.2.0/24', '--gateway', OUTSIDE.ipv4],
  ...['--aux-address', `host=${HOST.ipv4}`],
];

/** Runs a shell command; resolves to its output, rejects on a non-zero exit code. `try` never rejects for that. */
export interface Shell {
  (command: string, options?: RunOptions): Promise<string>;
  readonly try: (command: string, options?: RunOptions) => Promise<Result>;
}

export interface World {
  /** directory for everything of this world; its path is short, because unix sockets live below it */
  readonly base: string;
  readonly host: Shell;
  readonly outside: Shell;
  /** command line that enters the host's namespaces, to be followed by a program and its arguments */
  readonly enter: readonly string[];
  /** paths of the network namespaces */
  readonly netns: { readonly host: string; readonly outside: string };
  /** ids of processes that belong to the world, by their network namespace or by naming its directory */
  processes(): readonly number[];
  /** mount points below the base directory inside the host */
  mounts(): readonly string[];
  remove(): Promise<void>;
}

const shell = (enter: readonly string[]): Shell => {
  const [program = '', ...args] = enter;
  const full = (command: string): string[] => [...args, 'sh', '-c', command];
  return Object.assign((command: string, options?: RunOptions) => run(program, full(command), options), {
    try: (command: string, options?: RunOptions) => attempt(program, full(command), options),
  });
};

/** Persistent mount namespace: its file must lie on a private mount, or it could not be bound to itself. */
const makeMountNamespace = async (base: string): Promise<string> => {
  const directory = join(base, 'ns');
  const file = join(directory, 'mnt');
  mkdirSync(directory);
  writeFileSync(file, '');
  await run('mount', ['--bind', directory, directory]);
  await run('mount', ['--make-private', directory]);
  await unshareOnSomeProcessor([`--mount=${file}`, '--propagation', 'slave', 'true']);
  return file;
};

/**
 * Since Linux 6.18 each processor numbers namespaces from a range of its own, and one with a lower number than ours is taken for
 * one that we are in, which a mount must not keep: EINVAL, inside another mount namespace (the Debian 13 lane).
 */
const unshareOnSomeProcessor = async (args: readonly string[]): Promise<void> => {
  const tries = cpus().map((_, cpu) => ['-c', String(cpu), 'unshare', ...args]);
  for (const words of tries.slice(1)) if ((await attempt('taskset', words)).code === 0) return;
  await run('taskset', tries[0] ?? []);
};

/** The host's own view: /sys shows its interfaces, /etc/resolv.conf names the outside as its resolver. */
const furnish = async (host: Shell, base: string): Promise<void> => {
  writeFileSync(join(base, 'resolv.conf'), `nameserver ${OUTSIDE.ipv4}\n`);
  mkdirSync(join(base, 'cgroup'));
  await host(`
    set -e
    mount --rbind /sys/fs/cgroup ${base}/cgroup
    mount -t sysfs sysfs /sys
    mount --rbind ${base}/cgroup /sys/fs/cgroup
    umount -R ${base}/cgroup
    mount --bind ${base}/resolv.conf "$(readlink -f /etc/resolv.conf)"
    mount --make-rshared /`); // last: among shared mounts the unmounting above would spread
};

const cable = async (host: string, outside: string): Promise<void> => {
  await run('ip', [
    '-n',
    host,
    'link',
    'add',
    'eth0',
    'type',
    'veth',
    'peer',
    'name',
    'eth0',
    'netns',
    outside,
  ]);
  const batch = async (ns: string, lines: readonly string[]) =>
    run('ip', ['-n', ns, '-batch', '-'], { input: `${lines.join('\n')}\n` });
  await batch(outside, [
    'link set lo up',
    'link set eth0 up',
    `address add ${OUTSIDE.ipv4}/24 dev eth0`,
    'address add 192.168.1.1/24 dev eth0',
    `address add ${OUTSIDE.ipv6}/64 dev eth0 nodad`,
    `address add ${OUTSIDE.internet}/32 dev lo`,
  ]);
  await batch(host, [
    'link set lo up',
    'link set eth0 up',
    `address add ${HOST.ipv4}/24 dev eth0`,
    `address add ${HOST.second}/24 dev eth0`,
    `address add ${HOST.ipv6}/64 dev eth0 nodad`,
    `route add default via ${OUTSIDE.ipv4}`,
    `route add default via ${OUTSIDE.ipv6}`,
  ]);
};

const read = (path: string): string => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // the process is gone
  }
};
const link = (path: string): string => {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
};

/** Programs of the world by their arguments and namespaces; a container's, which has its own, by the root that it stands on. */
const processesOf = (base: string, namespaces: ReadonlySet<string>): readonly number[] => {
  const containerRoot = new RegExp(` / / [^\\n]*,(lower|upper)dir=${base}/`);
  const here = link('/proc/self/ns/mnt'); // where most processes are, and no container
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => {
      if (read(`/proc/${pid}/cmdline`).includes(`${base}/`)) return true;
      const mounts = link(`/proc/${pid}/ns/mnt`);
      if (namespaces.has(mounts) || namespaces.has(link(`/proc/${pid}/ns/net`))) return true;
      return mounts !== here && containerRoot.test(read(`/proc/${pid}/mountinfo`));
    })
    .map(Number);
};

let count = 0;

export const createWorld = async (): Promise<World> => {
  const base = mkdtempSync('/tmp/vd-');
  count += 1;
  const names = { host: `vh-${process.pid}-${count}`, outside: `vo-${process.pid}-${count}` };
  const netns = { host: `/run/netns/${names.host}`, outside: `/run/netns/${names.outside}` };
  await run('ip', ['netns', 'add', names.host]);
  await run('ip', ['netns', 'add', names.outside]);
  await cable(names.host, names.outside);
  const mountFile = await makeMountNamespace(base);
  const enter = ['nsenter', `--net=${netns.host}`, `--mount=${mountFile}`, '--'];
  const host = shell(enter);
  await furnish(host, base);
  const identities = new Set(
    (await host('readlink /proc/self/ns/net /proc/self/ns/mnt'))
      .split('\n')
      .concat(
        (await shell(['nsenter', `--net=${netns.outside}`, '--'])('readlink /proc/self/ns/net')).split('\n'),
      ),
  );
  const processes = () => processesOf(base, identities);

  return {
    base,
    host,
    outside: shell(['nsenter', `--net=${netns.outside}`, '--']),
    enter,
    netns,
    processes,
    mounts: () => mountsInside(mountFile, base),
    remove: async () => {
      await until('processes of the world end', () => {
        for (const pid of processes()) killQuietly(pid);
        return processes().length === 0;
      });
      await attempt('umount', [mountFile]);
      await attempt('umount', ['-l', join(base, 'ns')]);
      await attempt('ip', ['netns', 'delete', names.host]);
      await attempt('ip', ['netns', 'delete', names.outside]);
      rmSync(base, { recursive: true, force: true });
    },
  };
};

const killQuietly = (pid: number): void => {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // it has ended by itself
  }
};

const mountsInside = (mountFile: string, base: string): readonly string[] => {
  return execFileSync('nsenter', [`--mount=${mountFile}`, '--', 'cat', '/proc/self/mountinfo'], {
    encoding: 'utf8',
  })
    .split('\n')
    .flatMap((line) => line.split(' ')[4] ?? [])
    .filter((path) => path.startsWith(`${base}/`) && !path.startsWith(`${base}/ns`));
};
