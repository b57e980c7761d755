/**
 * Sources of a container's mounts, made ready before its start: directories for binds, volumes mounted and filled. Invariant:
 * what is mounted stays so as long as anybody uses it, and is unmounted by whoever used it last.
 */
import { existsSync, mkdirSync } from 'node:fs';
import type { Container, MountPoint } from '../../model/container.js';
import type { Outside, Writing } from '../parts.js';
import type { View } from '../view.js';
import { copyUp } from '../volumes/index.js';
import { bindSubpath } from '../volumes/subpath.js';

type Mounting = Pick<View, 'model' | 'config'> & Pick<Outside, 'volumes'>;
type Unmounting = Mounting & Pick<Writing, 'log'> & Pick<Outside, 'images' | 'mountUsers'>;

/** `-v /missing:/x` makes the directory, as Docker does. */
const makeSource = (source: string): void => {
  if (!existsSync(source)) mkdirSync(source, { recursive: true, mode: 0o755 });
};

/** Mounts what `sourceOf` needs. `givenUp`: nobody waits for it any more. */
export const readyVolumes = async (
  parts: Mounting,
  mounts: Container['mounts'],
  givenUp?: AbortSignal,
): Promise<void> => {
  for (const { type, name } of mounts) if (type === 'volume') await parts.volumes.ready(name, givenUp);
};

/** Where the files of a bind or volume are; a bind's directory is made where there is none. */
export const sourceOf = (parts: Mounting, mount: MountPoint): string => {
  if (mount.type === 'volume') return parts.volumes.directory(mount.name);
  makeSource(mount.source);
  return mount.source;
};

const isFilled = (mount: MountPoint): boolean =>
  mount.type === 'volume' &&
  !mount.noCopy &&
  mount.subpath === undefined &&
  !mount.mode.split(',').includes('nocopy');

/** Volumes that are empty get what the image has in their place. */
export const fillVolumes = async (parts: Mounting, container: Container, rootfs: string): Promise<void> => {
  for (const mount of container.mounts)
    if (isFilled(mount)) await copyUp(rootfs, mount.destination, sourceOf(parts, mount));
};

export const mountVolumes = async (
  parts: Mounting,
  container: Container,
  rootfs: string,
  givenUp: AbortSignal,
): Promise<void> => {
  await readyVolumes(parts, container.mounts, givenUp);
  for (const mount of container.mounts) if (mount.type !== 'tmpfs') sourceOf(parts, mount);
  await fillVolumes(parts, container, rootfs);
};

export const hasSubpaths = ({ mounts }: Container): boolean =>
  mounts.some(({ subpath }) => subpath !== undefined);

/** The container for `work` with sources that nobody can exchange, in the place of volumes' subpaths. */
export const withSubpaths = async <T>(
  parts: Mounting,
  container: Container,
  work: (container: Container) => Promise<T>,
): Promise<T> => {
  if (!hasSubpaths(container)) return work(container);
  const releases: (() => Promise<void>)[] = [];
  const bind = async (mount: MountPoint, at: number): Promise<MountPoint> => {
    if (mount.subpath === undefined) return mount;
    const name = `${container.id}.${at}`;
    const bound = await bindSubpath(parts.config.execRoot, name, mount.source, mount.subpath);
    releases.push(bound.release);
    return { ...mount, source: bound.path };
  };
  try {
    const mounts: MountPoint[] = [];
    for (const [at, mount] of container.mounts.entries()) mounts.push(await bind(mount, at));
    return await work({ ...container, mounts });
  } finally {
    for (const release of releases) await release();
  }
};

const rootOf = (id: string): string => `root of ${id}`;
const deviceOf = (volume: string): string => `device of ${volume}`;

const volumesOf = ({ mounts }: Container): readonly string[] => [
  ...new Set(mounts.filter(({ type }) => type === 'volume').map(({ name }) => name)),
];

const runs = (parts: Mounting, id: string): boolean =>
  (parts.model.containers.get(id)?.sandboxId ?? null) !== null;

const isUsed = (parts: Unmounting, volume: string): boolean =>
  parts.mountUsers.has(deviceOf(volume)) || parts.volumes.usedBy(volume).some((id) => runs(parts, id));

/**
 * Unmounts a container's root and the devices of its volumes, as far as nobody uses them. Nobody waits for it: whoever wants
 * them again has them mounted after that (`Images.mount`, `EngineVolumes.ready`). What cannot be unmounted stays, and is told of.
 */
export const releaseMounts = (parts: Unmounting, container: Container): void => {
  const { id } = container;
  const attempt = (what: string, unmounted: Promise<void>): void =>
    void unmounted.catch((error: unknown) =>
      parts.log.warn({ container: container.name, error: String(error) }, `${what} stays mounted`),
    );
  if (runs(parts, id)) return;
  for (const name of volumesOf(container))
    if (!isUsed(parts, name)) attempt(`volume ${name}`, parts.volumes.unmount(name));
  if (!parts.mountUsers.has(rootOf(id))) attempt('root file system', parts.images.unmount(id));
};

/** What a daemon left mounted that was killed as its containers ended. */
export const sweepMounts = (parts: Unmounting): void => {
  for (const id of parts.images.mounted()) {
    const container = parts.model.containers.get(id);
    if (container) releaseMounts(parts, container);
  }
};

/**
 * A container's root and the devices of its volumes stay mounted, once they are, until the answered function is called: it
 * unmounts what nobody else uses by then. While the container runs its record says that it uses them.
 */
export const useMounts = (parts: Unmounting, container: Container): (() => void) => {
  const leave = parts.mountUsers.join([rootOf(container.id), ...volumesOf(container).map(deviceOf)]);
  return () => {
    leave();
    releaseMounts(parts, container);
  };
};
