/**
 * What a container is made of lies ready, before its networks are made, bound for that time into the short namespace in which it is made: its root, and the sources of its binds and
 * volumes with all that is mounted below them now.
 *
 *   <state directory>/.hand/<daemon>/<n>          mount points, used again and again
 *   <state directory>/.hand/<daemon>.aside/<n>    where what is bound stops sharing with what it is a copy of
 *
 * Invariants: what was handed over is gone before the container's root is unmounted or it is made anew; a daemon that was killed leaves what the next
 * one takes away. Where there is no such namespace, containers are made in copies of ours, as with a propagation that
 * the directory between would end.
 */
import {
  closeSync,
  existsSync,
  mkdirSync,
  readdirSync,
  rmdirSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { EINVAL, failedWith } from '../errno.js';
import { attempt } from '../errors.js';
import * as ffi from '../kernel/ffi.js';
import { identify, isAlive } from '../kernel/processes.js';
import type { Logger } from '../log.js';
import type { MountPoint } from '../model/container.js';
import type { Machine } from './machine.js';
import { descriptorOf, makeShortNamespace, within } from './short-namespace.js';
import type { OciSpec } from './spec/oci.js';

interface HandedOver {
  /** as nsenter(1) takes it; undefined: in a copy of ours */
  readonly namespace: string | undefined;
  /** with the paths that lead to things there */
  readonly spec: OciSpec;
}

type Bind = Pick<MountPoint, 'source' | 'propagation'>;

export interface HandOver {
  /** To be called, and not waited for, as early as a start can be foreseen. */
  warm(): void;
  /** Lays ready a container's root and what it binds. Throws SystemError. */
  prepare(id: string, root: string, binds: readonly Bind[]): Promise<void>;
  isReady(id: string): boolean;
  /** What was laid ready. */
  give(id: string, spec: OciSpec): HandedOver;
  /** Nothing was handed over for it: well. Never rejects. */
  takeBack(id: string): Promise<void>;
  /** Takes away what daemons left that were killed. */
  sweep(): Promise<void>;
  close(): Promise<void>;
}

/** By the path that leads to it here. */
type Points = Map<string, Point>;

interface Ready {
  /** undefined: there is none, or not for what it binds */
  readonly namespace: number | undefined;
  readonly points: Points;
}

interface Point {
  readonly kind: 'directory' | 'file';
  readonly path: string;
}

const makeFile = (kind: Point['kind'], path: string): void => {
  if (kind === 'directory') mkdirSync(path);
  else writeFileSync(path, '');
};

const removePoint = (path: string): void => {
  if (statSync(path).isDirectory()) rmdirSync(path);
  else unlinkSync(path);
};

const { BIND, MOVE, PRIVATE, REC, SHARED } = ffi.MS;
const propagate = (path: string, kind: number): Promise<void> => ffi.mountLater('', path, '', kind, '');

/**
 * Never recursively: what is mounted is a container's files. What a killed daemon had just bound may still share with the
 * host, which would lose all that is mounted below.
 */
const clear = async (directory: string): Promise<void> => {
  await ffi.umountAlone(directory).catch(() => {}); // killed before it was mounted
  for (const name of readdirSync(directory)) attempt(() => removePoint(join(directory, name)));
  attempt(() => rmdirSync(directory));
};

/** Mounts whose own groups nobody is in yet, whatever they were copied from shares. */
const shareAnew = async (path: string): Promise<void> => {
  for (const kind of [PRIVATE, SHARED]) await propagate(path, REC | kind);
};

const makeMount = async (directory: string): Promise<void> => {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  await ffi.mountLater(directory, directory, '', BIND, '');
  await propagate(directory, PRIVATE);
};

let count = 0;
const nameOfOurs = (): string => {
  const { pid, startTime } = identify(process.pid);
  count += 1;
  return `${pid}.${startTime}.${count}`;
};

const isLeft = (name: string): boolean => {
  const [pid, startTime = ''] = name.split('.');
  return !isAlive({ pid: Number(pid), startTime });
};

const PROPAGATES = new Set(['shared', 'rshared', 'slave', 'rslave']);

/** Network namespaces are bound in our own mount namespace. */
const reachedFromThere = (path: string): string => `/proc/${process.pid}/root${path}`;

/** `home`: of all daemons' directories. `needed`: paths of ours that the OCI runtime uses. */
export const createHandOver = (
  machine: Machine,
  home: string,
  needed: readonly string[],
  logger: Pick<Logger, 'warn'>,
): HandOver => {
  const shared = join(home, nameOfOurs());
  const aside = `${shared}.aside`;
  let made: Promise<number | undefined> | undefined;
  /** mount points with nothing on them: what is bound on a directory must be one, too */
  const free = { directory: [] as Point[], file: [] as Point[] };
  let points = 0;
  const ready = new Map<string, Ready>();
  const leaving = new Map<string, Promise<void>>();

  const make = async (): Promise<number | undefined> => {
    if (machine.runtime.name !== 'crun') return undefined;
    try {
      for (const directory of [aside, shared]) await makeMount(directory);
      await shareAnew(shared);
      return await makeShortNamespace(machine, { shared, needed });
    } catch (cause) {
      logger.warn({ cause: String(cause) }, 'containers are made in copies of the whole mount table');
      for (const directory of [aside, shared]) if (existsSync(directory)) await clear(directory);
      return undefined;
    }
  };
  const namespace = (): Promise<number | undefined> => {
    made ??= make();
    return made;
  };

  const makePoint = (kind: Point['kind']): Point => {
    const path = join(shared, String(points));
    points += 1;
    makeFile(kind, path);
    return { kind, path };
  };

  /**
   * With all that is mounted below. A copy shares with what it is a copy of, and where one is unmounted, what is below the other goes
   * too: the host's own disks. So it becomes one that shares with nobody but the short namespace, before it comes there.
   */
  const bindDeep = async (source: string, { kind, path }: Point): Promise<void> => {
    const between = join(aside, basename(path));
    if (!existsSync(between)) makeFile(kind, between);
    await ffi.mountLater(source, between, '', BIND | REC, '');
    try {
      await shareAnew(between);
      await ffi.mountLater(between, path, '', MOVE, '');
    } catch (error) {
      await ffi.umountAlone(between);
      throw error;
    }
  };

  const bind = async (source: string, points: Points, how: typeof bindDeep): Promise<void> => {
    if (points.has(source)) return;
    const kind = statSync(source).isDirectory() ? 'directory' : 'file';
    const point = free[kind].pop() ?? makePoint(kind);
    points.set(source, point);
    try {
      await how(source, point);
    } catch (error) {
      points.delete(source);
      free[kind].push(point);
      throw error;
    }
  };

  /** What cannot be unmounted is not used again. */
  const unbind = async (points: Points): Promise<void> => {
    for (const point of points.values())
      try {
        await ffi.umountLater(point.path);
        free[point.kind].push(point);
      } catch (error) {
        if (failedWith(error, EINVAL)) free[point.kind].push(point); // it was not bound yet
      }
  };

  const takeBack = (id: string): Promise<void> => {
    const mine = ready.get(id);
    if (!mine) return leaving.get(id) ?? Promise.resolve();
    ready.delete(id);
    const done = unbind(mine.points).finally(() => leaving.delete(id));
    leaving.set(id, done);
    return done;
  };

  const canLie = ({ source, propagation }: Bind): boolean =>
    !(PROPAGATES.has(propagation) || within(shared, source));

  return {
    warm: () => void namespace(),
    prepare: async (id, root, binds) => {
      await takeBack(id);
      const points: Points = new Map();
      const fd = binds.every(canLie) ? await namespace() : undefined;
      ready.set(id, { namespace: fd, points });
      if (fd === undefined) return;
      await bind(root, points, (source, { path }) => ffi.mountLater(source, path, '', BIND, ''));
      // What is not there is told by the OCI runtime, in its words.
      for (const { source } of binds) await bind(source, points, bindDeep).catch(() => {});
    },
    isReady: (id) => ready.has(id),
    give: (id, spec) => {
      const { namespace: fd, points } = ready.get(id) ?? {};
      if (fd === undefined) return { namespace: undefined, spec };
      const there = (path: string): string => points?.get(path)?.path ?? path;
      const root = { ...spec.root, path: there(spec.root.path) };
      const mounts = spec.mounts.map((mount) =>
        mount.type === 'bind' ? { ...mount, source: there(mount.source) } : mount,
      );
      const namespaces = spec.linux.namespaces.map((each) =>
        each.type === 'network' && each.path ? { ...each, path: reachedFromThere(each.path) } : each,
      );
      const linux = { ...spec.linux, namespaces };
      return { namespace: descriptorOf(fd), spec: { ...spec, root, mounts, linux } };
    },
    takeBack,
    sweep: async () => {
      for (const name of readdirSync(home)) if (isLeft(name)) await clear(join(home, name));
    },
    close: async () => {
      const fd = await made;
      if (fd === undefined) return;
      await Promise.all([...ready.keys(), ...leaving.keys()].map(takeBack));
      closeSync(fd);
      for (const directory of [aside, shared]) await clear(directory);
    },
  };
};
