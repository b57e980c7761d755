/**
 * A machine to run a daemon on, made of namespaces: the "host" (network and mount namespaces of its own, with its own
 * /sys and /etc/resolv.conf) and an "outside" behind its uplink, which is the LAN's router and the internet at once.
 *
 *   outside                          host
 *   lo    198.51.100.1  (internet)
 *   eth0  192.0.2.1 ─── veth ──────  eth0  192.0.2.2  192.168.1.100
 *         2001:db8:1::1                    2001:db8:1::2          default routes lead outside
 *
 * Several hosts on one wire (lab.ts) share an outside, which is a bridge then; each has a name of its own:
 *
 *   br0   192.0.2.254 ─┬─ veth ────  eth0  192.0.2.1  2001:db8:1::1   (host1)
 *   2001:db8:1::fe     └─ veth ────  eth0  192.0.2.2  2001:db8:1::2   (host2)
 *
 * Process ids are shared with the machine that runs the tests. Invariant: after `remove` nothing is left of it.
 */
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { cpus } from 'node:os';
import { dirname, join } from 'node:path';
import { identify, isAlive, type ProcessIdentity } from '../../src/kernel/processes.js';
import { attempt, type Result, type RunOptions, run, until } from './run.js';

export const HOST = { ipv4: '192.0.2.2', second: '192.168.1.100', ipv6: '2001:db8:1::2' } as const;
export const OUTSIDE = { ipv4: '192.0.2.1', ipv6: '2001:db8:1::1', internet: '198.51.100.1' } as const;
/** The outside of hosts that share a wire. */
export const WIRE = { ipv4: '192.0.2.254', ipv6: '2001:db8:1::fe' } as const;
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

let count = 0;

const shell = (enter: readonly string[]): Shell => {
  const [program = '', ...args] = enter;
  const full = (command: string): string[] => [...args, 'sh', '-c', command];
  return Object.assign((command: string, options?: RunOptions) => run(program, full(command), options), {
    try: (command: string, options?: RunOptions) => attempt(program, full(command), options),
  });
};

/**
 * Persistent mount namespace (and one for a name, where there is one): its file must lie on a private mount, or it could
 * not be bound to itself. Answers the arguments of nsenter.
 */
const makeNamespaces = async (base: string, name: string | undefined): Promise<readonly string[]> => {
  const directory = join(base, 'ns');
  const kinds = name === undefined ? ['mount'] : ['mount', 'uts'];
  const files = kinds.map((kind) => `--${kind}=${join(directory, kind)}`);
  mkdirSync(directory);
  for (const kind of kinds) writeFileSync(join(directory, kind), '');
  await run('mount', ['--bind', directory, directory]);
  await run('mount', ['--make-private', directory]);
  const first = name === undefined ? ['true'] : ['hostname', name];
  await unshareOnSomeProcessor([...files, '--propagation', 'slave', ...first]);
  return files;
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
const furnish = async (host: Shell, base: string, resolver: string): Promise<void> => {
  writeFileSync(join(base, 'resolv.conf'), `nameserver ${resolver}\n`);
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

const ip = async (ns: string, lines: readonly string[]): Promise<unknown> =>
  run('ip', ['-n', ns, '-batch', '-'], { input: `${lines.join('\n')}\n` });

const cable = async (host: string, outside: string): Promise<void> => {
  await ip(host, [`link add eth0 type veth peer name eth0 netns ${outside}`]);
  await ip(outside, [
    'link set lo up',
    'link set eth0 up',
    `address add ${OUTSIDE.ipv4}/24 dev eth0`,
    'address add 192.168.1.1/24 dev eth0',
    `address add ${OUTSIDE.ipv6}/64 dev eth0 nodad`,
    `address add ${OUTSIDE.internet}/32 dev lo`,
  ]);
  await ip(host, [
    'link set lo up',
    'link set eth0 up',
    `address add ${HOST.ipv4}/24 dev eth0`,
    `address add ${HOST.second}/24 dev eth0`,
    `address add ${HOST.ipv6}/64 dev eth0 nodad`,
    `route add default via ${OUTSIDE.ipv4}`,
    `route add default via ${OUTSIDE.ipv6}`,
  ]);
};

export interface Wire {
  /** name and path of its network namespace */
  readonly name: string;
  readonly netns: string;
  readonly shell: Shell;
  remove(): Promise<void>;
}

/** Addresses of a host by its number on the wire, 1 to 9. */
export const onWire = (number: number) => ({
  ipv4: `192.0.2.${number}`,
  ipv6: `2001:db8:1::${number}`,
  name: `host${number}`,
  /** its port of the wire's bridge */
  port: `port${number}`,
});

export const createWire = async (): Promise<Wire> => {
  count += 1;
  const name = `vw-${process.pid}-${count}`;
  await run('ip', ['netns', 'add', name]);
  await ip(name, [
    'link set lo up',
    'link add br0 type bridge mcast_snooping 0',
    'link set br0 up',
    `address add ${WIRE.ipv4}/24 dev br0`,
    `address add ${WIRE.ipv6}/64 dev br0 nodad`,
    `address add ${OUTSIDE.internet}/32 dev lo`,
  ]);
  const netns = `/run/netns/${name}`;
  return {
    name,
    netns,
    shell: shell(['nsenter', `--net=${netns}`, '--']),
    remove: async () => void (await attempt('ip', ['netns', 'delete', name])),
  };
};

const plug = async (host: string, { name }: Wire, number: number): Promise<void> => {
  const { ipv4, ipv6, port } = onWire(number);
  await ip(host, [`link add eth0 type veth peer name ${port} netns ${name}`]);
  await ip(name, [`link set ${port} master br0 up`]);
  await ip(host, [
    'link set lo up',
    'link set eth0 up',
    `address add ${ipv4}/24 dev eth0`,
    `address add ${ipv6}/64 dev eth0 nodad`,
    `route add default via ${WIRE.ipv4}`,
    `route add default via ${WIRE.ipv6}`,
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

/** What a world is made of, and who made it: written down in it, so that another can take it away when that one was killed. */
interface Made {
  readonly owner: ProcessIdentity;
  readonly base: string;
  /** names of the network namespaces that are its own */
  readonly names: readonly string[];
}

/** Where a /tmp of its own is to be seen from outside, the worlds lie elsewhere (`npm run test:trixie`). */
const BASE = `${process.env.TEST_BASE ?? '/tmp'}/vd-`;
const RECORD = 'world.json';
const mountFileOf = (base: string): string => join(base, 'ns/mount');
const netnsOf = (name: string): string => `/run/netns/${name}`;

/** As links of /proc name them. One that is gone is none: its number may be somebody else's by now. */
const namespacesOf = ({ base, names }: Made): ReadonlySet<string> => {
  const files = { net: names.map(netnsOf), mnt: [mountFileOf(base)] };
  return new Set(
    Object.entries(files).flatMap(([kind, paths]) =>
      paths.flatMap((path) => {
        const found = statSync(path, { throwIfNoEntry: false });
        return found ? [`${kind}:[${found.ino}]`] : [];
      }),
    ),
  );
};

const take = async (made: Made): Promise<void> => {
  const { base, names } = made;
  const processes = () => processesOf(base, namespacesOf(made));
  await until('processes of the world end', () => {
    for (const pid of processes()) killQuietly(pid);
    return processes().length === 0;
  });
  await attempt('umount', [mountFileOf(base)]);
  if (existsSync(join(base, 'ns/uts'))) await attempt('umount', [join(base, 'ns/uts')]);
  await attempt('umount', ['-l', join(base, 'ns')]);
  for (const name of names) await attempt('ip', ['netns', 'delete', name]);
  rmSync(base, { recursive: true, force: true });
};

const madeAt = (base: string): Made | undefined => {
  try {
    return JSON.parse(readFileSync(join(base, RECORD), 'utf8')) as Made; // `createWorld` wrote it
  } catch {
    return undefined; // it is none, or it is just being made or taken away
  }
};

/** Takes away the worlds of tests that were killed, and no others: whose process lives, by its start time too, is theirs. */
export const sweepWorlds = async (): Promise<readonly string[]> => {
  const found = readdirSync(dirname(BASE))
    .map((name) => join(dirname(BASE), name))
    .flatMap((path) => (path.startsWith(BASE) ? (madeAt(path) ?? []) : []));
  const orphaned = found.filter(({ owner }) => !isAlive(owner));
  for (const made of orphaned) await take(made);
  return orphaned.map(({ base }) => base);
};

/** `on`: a wire that hosts share, and this host's number there. Without it the host has an outside of its own. */
export const createWorld = async (on?: { readonly wire: Wire; readonly number: number }): Promise<World> => {
  const base = mkdtempSync(BASE);
  count += 1;
  const host = `vh-${process.pid}-${count}`;
  const outside = on?.wire.name ?? `vo-${process.pid}-${count}`;
  const netns = { host: netnsOf(host), outside: netnsOf(outside) };
  const made: Made = { owner: identify(process.pid), base, names: on ? [host] : [host, outside] };
  writeFileSync(join(base, RECORD), JSON.stringify(made));
  await run('ip', ['netns', 'add', host]);
  if (on) await plug(host, on.wire, on.number);
  else {
    await run('ip', ['netns', 'add', outside]);
    await cable(host, outside);
  }
  const files = await makeNamespaces(base, on && onWire(on.number).name);
  const enter = ['nsenter', `--net=${netns.host}`, ...files, '--'];
  const inHost = shell(enter);
  await furnish(inHost, base, on ? WIRE.ipv4 : OUTSIDE.ipv4);
  const namespaces = namespacesOf(made);
  return {
    base,
    host: inHost,
    outside: shell(['nsenter', `--net=${netns.outside}`, '--']),
    enter,
    netns,
    processes: () => processesOf(base, namespaces),
    mounts: () => mountsInside(mountFileOf(base), base),
    remove: () => take(made),
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
