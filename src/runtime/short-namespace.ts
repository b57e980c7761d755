/**
 * The mount namespace in which the OCI runtime makes containers. Each of its calls copies a mount table, for the call itself where it has to
 * be made in a namespace of its own and for the container, and in ours are the root and the network namespace of everybody who runs. So it
 * works in one that has what the system has and nothing of any container. Nobody but a descriptor of ours holds it: it ends with us,
 * however we end. Invariant: nothing that is mounted on the host later comes there, but below the one shared directory (`hand-over.ts`).
 */
import { closeSync, existsSync, openSync, realpathSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { PassThrough } from 'node:stream';
import { internal } from '../errors.js';
import { mountsOf, reachable } from '../kernel/mount-table.js';
import { ANSWER_LIMIT, runProgram } from '../kernel/program.js';
import type { Machine } from './machine.js';

export interface Places {
  /** the directory that is shared: a mount of its own, which passes on what is mounted below */
  readonly shared: string;
  /** paths of ours that the OCI runtime uses */
  readonly needed: readonly string[];
}

type Command = readonly [string, ...string[]];

/** `path` is the directory or below it. */
export const within = (path: string, directory: string): boolean =>
  path === directory || path.startsWith(directory === '/' ? '/' : `${directory}/`);

/** What programs need of the system, with all that is mounted below. */
const SYSTEM = ['/bin', '/dev', '/etc', '/lib', '/lib64', '/proc', '/sbin', '/sys', '/usr'];
/** crun gives up where cgroup2 is mounted beside v1 with controllers of its own. */
const UNIFIED = '/sys/fs/cgroup/unified';

/** Of mount points those that nobody needs, without those below them. What one of `needed` is on is needed. */
export const unneeded = (
  points: readonly string[],
  needed: readonly string[],
  hideUnified: boolean,
): readonly string[] => {
  const stays = (point: string): boolean =>
    needed.some((path) => within(path, point)) ||
    (SYSTEM.some((directory) => within(point, directory)) && !(hideUnified && point === UNIFIED));
  const goes = new Set(points.filter((point) => !stays(point)));
  const isInner = (point: string): boolean =>
    [...point.matchAll(/\//g)].some(({ index }) => goes.has(point.slice(0, index)));
  return points.filter((point) => goes.has(point) && !isInner(point));
};

/** A program of util-linux's, or busybox's form of it. */
const program = ({ busybox }: Machine, name: string): Command => (busybox ? [busybox, name] : [name]);

/** Program and first arguments that lead another one there. */
export const entering = (machine: Machine, namespace: string): Command => [
  ...program(machine, 'nsenter'),
  `--mount=${namespace}`,
];

/** A descriptor of ours, as other processes reach it. */
export const descriptorOf = (fd: number): string => `/proc/${process.pid}/fd/${fd}`;

const run = ([command, ...args]: Command): Promise<Buffer> =>
  runProgram({ command, args, limit: ANSWER_LIMIT });

const EACH_PRIVATE = 'for point; do mount --make-private "$point" || exit; done';

/** Itself, or the lowest directory above it that is there. */
const nearest = (path: string): string => (existsSync(path) ? path : nearest(dirname(path)));

/** Throws where one of the paths leads elsewhere there, or nowhere. */
const checkPaths = async (enter: Command, paths: readonly string[]): Promise<void> => {
  const seen = String(await run([...enter, 'stat', '-L', '-c', '%d:%i', ...paths])).split('\n');
  for (const [i, path] of paths.entries()) {
    const { dev, ino } = statSync(path);
    if (seen[i] !== `${dev}:${ino}`) throw internal(`${path} is another file there`);
  }
};

/**
 * In the namespace of process `pid`, which is a copy of ours that only receives. First it is made to receive nothing but what is shared: a
 * container that is made meanwhile would come after we had looked. What a path of ours goes through by links is needed as well.
 * Throws where paths lead elsewhere there (we are in a chroot).
 */
const shorten = async (machine: Machine, places: Places, pid: number, enter: Command): Promise<void> => {
  const { shared } = places;
  const used = [shared, ...places.needed].map(nearest);
  await checkPaths(enter, used);
  const needed = [...used, ...used.map((path) => realpathSync(path))];
  const receiving = reachable(mountsOf(pid)).filter(
    ({ point, propagates }) => propagates && point !== shared,
  );
  const open = receiving.map(({ point }) => point);
  const kept = new Set(open);
  for (const point of unneeded(open, needed, machine.hideUnified)) kept.delete(point);
  if (kept.size > 0) await run([...enter, '/bin/sh', '-c', EACH_PRIVATE, 'sh', ...kept]);
  const points = reachable(mountsOf(pid)).map(({ point }) => point);
  const leaving = unneeded(points, needed, machine.hideUnified);
  if (leaving.length > 0) await run([...enter, ...program(machine, 'umount'), '-l', ...leaving]);
  await checkPaths(enter, used);
};

/** A process in a copy of our namespace: its pid, and its end. */
const startCopy = (machine: Machine) => {
  const [command, ...first] = program(machine, 'unshare');
  const input = new PassThrough().on('error', () => {}); // the process ended before
  let tell: (pid: string) => void = () => {};
  const told = new Promise<string>((resolve) => {
    tell = resolve;
  });
  const args = [...first, '-m', '--propagation', 'slave', '/bin/sh', '-c', 'echo $$ && read -r _'];
  const ended = runProgram({ command, args, input, onLine: tell, limit: ANSWER_LIMIT })
    .then(() => '')
    .catch(String); // at the end of its input `read` fails
  const end = async (): Promise<void> => {
    input.end();
    await ended;
  };
  return { pid: Promise.race([told, ended]).then(Number), end };
};

/** Answers the descriptor that holds it. Throws where it cannot be made. */
export const makeShortNamespace = async (machine: Machine, places: Places): Promise<number> => {
  const copy = startCopy(machine);
  let fd: number | undefined;
  try {
    const pid = await copy.pid;
    fd = openSync(`/proc/${pid}/ns/mnt`, 'r');
    await shorten(machine, places, pid, entering(machine, descriptorOf(fd)));
    return fd;
  } catch (error) {
    if (fd !== undefined) closeSync(fd);
    throw error;
  } finally {
    await copy.end();
  }
};
