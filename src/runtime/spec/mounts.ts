/** Everything mounted into a container: kernel file systems, /etc files, volumes, binds, tmpfs; outer paths first. */
import { invalid } from '../../errors.js';
import type { HostConfig, MountPoint } from '../../model/container.js';
import type { StartRequest } from '../contract.js';
import { createFailure } from '../failure.js';
import type { OciMount } from './oci.js';

/** bytes; Docker's default of /dev/shm */
const DEFAULT_SHM_SIZE = 64 * 1024 * 1024;

export interface MountFacts {
  readonly kernel: readonly [major: number, minor: number];
  /** where docker-init or its like lies on the host; empty: not asked for */
  readonly init: string;
  /** directory on the host that is /dev/shm (shareable or joined IPC); empty: a tmpfs of the container's own */
  readonly shm: string;
  /** sources of read-only mounts that are no directories */
  readonly files: ReadonlySet<string>;
}

const KERNEL: readonly OciMount[] = [
  { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
  {
    destination: '/dev',
    type: 'tmpfs',
    source: 'tmpfs',
    options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
  },
  {
    destination: '/dev/pts',
    type: 'devpts',
    source: 'devpts',
    options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
  },
];

const bind = (source: string, destination: string, ...options: readonly string[]): OciMount => ({
  destination,
  type: 'bind',
  source,
  options: ['rbind', ...options],
});

const sharedMemory = (host: HostConfig, facts: MountFacts): readonly OciMount[] => {
  const options = ['nosuid', 'noexec', 'nodev'];
  if (host.IpcMode === 'none')
    return [{ destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options }];
  if (host.IpcMode === 'host')
    return [bind('/dev/shm', '/dev/shm', 'rprivate'), bind('/dev/mqueue', '/dev/mqueue', 'rprivate')];
  return [
    { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options },
    facts.shm
      ? bind(facts.shm, '/dev/shm', 'rprivate', ...options)
      : {
          destination: '/dev/shm',
          type: 'tmpfs',
          source: 'shm',
          options: [...options, 'mode=1777', `size=${host.ShmSize || DEFAULT_SHM_SIZE}`],
        },
  ];
};

const kernelMounts = (host: HostConfig, facts: MountFacts): readonly OciMount[] => {
  const access = host.Privileged ? 'rw' : 'ro';
  return [
    ...KERNEL,
    { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['nosuid', 'noexec', 'nodev', access] },
    {
      destination: '/sys/fs/cgroup',
      type: 'cgroup',
      source: 'cgroup',
      options: [access, 'nosuid', 'noexec', 'nodev'],
    },
    ...sharedMemory(host, facts),
  ];
};

const etcMounts = (etc: StartRequest['etc'], readOnly: boolean): readonly OciMount[] =>
  [
    ['/etc/resolv.conf', etc.resolvConf],
    ['/etc/hostname', etc.hostname],
    ['/etc/hosts', etc.hosts],
  ].flatMap(([destination, source]) =>
    destination && source ? [bind(source, destination, 'rprivate', ...(readOnly ? ['ro'] : []))] : [],
  );

/** Mode texts also carry SELinux and copy options (`z`, `Z`, `nocopy`, `consistent`…): not mount options. */
const tmpfsOptions = (text: string): readonly string[] => [
  'noexec',
  'nosuid',
  'nodev',
  ...text.split(',').filter((option) => option !== ''),
];

/** mount_setattr(2), by which what is mounted below becomes read-only too. */
const RECURSIVE_SINCE = [5, 12] as const;

/** Nothing is mounted below a file, and crun 1.8 takes `rro` for directories only. */
const accessOf = (mount: MountPoint, { kernel, files }: MountFacts): string => {
  const { rw, readOnlyBelow, source, destination } = mount;
  if (rw) return 'rw';
  if (readOnlyBelow === 'no' || files.has(source)) return 'ro';
  const [major, minor] = kernel;
  if (major > RECURSIVE_SINCE[0] || (major === RECURSIVE_SINCE[0] && minor >= RECURSIVE_SINCE[1]))
    return 'rro';
  if (readOnlyBelow === 'must')
    throw invalid(`${destination}: recursively read-only mounts need Linux ${RECURSIVE_SINCE.join('.')}`);
  return 'ro';
};

/** Files of /proc that a mount may stand in for, as runc has them (lxcfs does). */
const REPLACEABLE = new Set([
  ...['cpuinfo', 'diskstats', 'meminfo', 'stat', 'swaps', 'uptime', 'loadavg', 'slabinfo', 'net/dev'],
  ...['sys/kernel/ns_last_pid', 'sys/crypto/fips_enabled'],
]);

/** What is mounted over /proc would make what masks it worthless. */
const checkProc = ({ destination, source }: MountPoint): void => {
  if (destination === '/proc' && source === '/proc') return; // the host's own, which is of type proc
  if (!`${destination}/`.startsWith('/proc/') || REPLACEABLE.has(destination.slice('/proc/'.length))) return;
  throw createFailure(`${JSON.stringify(destination)} cannot be mounted because it is inside /proc`);
};

const userMount = (mount: MountPoint, facts: MountFacts): OciMount => {
  checkProc(mount);
  if (mount.type === 'tmpfs')
    return {
      destination: mount.destination,
      type: 'tmpfs',
      source: 'tmpfs',
      options: [...tmpfsOptions(mount.options), ...(mount.rw ? [] : ['ro'])],
    };
  const propagation = mount.propagation || 'rprivate';
  return {
    destination: mount.destination,
    type: 'bind',
    source: mount.source,
    // crun takes the recursion of the propagation for the bind's own.
    options: [
      ...(mount.nonRecursive ? ['bind', propagation.replace(/^r/, '')] : ['rbind', propagation]),
      accessOf(mount, facts),
    ],
  };
};

const depth = (path: string): number => path.split('/').filter(Boolean).length;

/**
 * A user's mount at a path replaces ours at the same path (also the /etc files); a user's mount over /dev/shm or
 * /proc wins as in Docker. Users' mounts come in order of depth, so that outer ones never hide inner ones.
 */
export const mounts = (request: StartRequest, facts: MountFacts): readonly OciMount[] => {
  const { container } = request;
  const host = container.hostConfig;
  const given = container.mounts.map((mount) => userMount(mount, facts));
  const destinations = new Set(given.map((mount) => mount.destination));
  const tmpfs = Object.entries(host.Tmpfs ?? {})
    .filter(([destination]) => !destinations.has(destination))
    .map(([destination, text]): OciMount => {
      destinations.add(destination);
      return { destination, type: 'tmpfs', source: 'tmpfs', options: tmpfsOptions(text) };
    });
  const ours = [
    ...etcMounts(request.etc, host.ReadonlyRootfs === true),
    ...(facts.init ? [bind(facts.init, '/sbin/docker-init', 'ro')] : []),
  ];
  const inner = [...given, ...tmpfs, ...ours.filter((mount) => !destinations.has(mount.destination))];
  return [
    ...kernelMounts(host, facts).filter((mount) => !destinations.has(mount.destination)),
    ...inner.toSorted((a, b) => depth(a.destination) - depth(b.destination)),
  ];
};

const STRENGTH: Readonly<Record<string, number>> = { rslave: 1, slave: 1, rshared: 2, shared: 2 };

/** A shared or slave mount needs a root that passes propagation on. Undefined: the runtime's private default. */
export const rootPropagation = (points: readonly MountPoint[]): string | undefined => {
  const strongest = Math.max(0, ...points.map((point) => STRENGTH[point.propagation] ?? 0));
  return strongest === 2 ? 'rshared' : strongest === 1 ? 'rslave' : undefined;
};
