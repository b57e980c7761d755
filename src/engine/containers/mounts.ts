/** Sources of a container's mounts, made ready before its start: directories for binds, volumes mounted and filled. */
import { existsSync, mkdirSync } from 'node:fs';
import type { Container, MountPoint } from '../../model/container.js';
import type { Outside } from '../parts.js';
import type { View } from '../view.js';
import { copyUp } from '../volumes/index.js';
import { bindSubpath } from '../volumes/subpath.js';

type Mounting = Pick<View, 'model' | 'config'> & Pick<Outside, 'volumes'>;

/** `-v /missing:/x` makes the directory, as Docker does. */
const makeSource = (source: string): void => {
  if (!existsSync(source)) mkdirSync(source, { recursive: true, mode: 0o755 });
};

/** Asks what `sourceOf` needs, which is then made at once. `givenUp`: nobody waits for it any more. */
export const readyVolumes = async (
  parts: Mounting,
  { mounts }: Container,
  givenUp?: AbortSignal,
): Promise<void> => {
  for (const { type, name } of mounts) if (type === 'volume') await parts.volumes.ready(name, givenUp);
};

/** Where the files of a bind or volume are: made, or mounted, where they are not yet. */
export const sourceOf = (parts: Mounting, mount: MountPoint): string => {
  if (mount.type === 'volume') return parts.volumes.mount(mount.name);
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
  await readyVolumes(parts, container, givenUp);
  for (const mount of container.mounts) if (mount.type !== 'tmpfs') sourceOf(parts, mount);
  await fillVolumes(parts, container, rootfs);
};

/** The container for `work` with sources that nobody can exchange, in the place of volumes' subpaths. */
export const withSubpaths = async <T>(
  parts: Mounting,
  container: Container,
  work: (container: Container) => Promise<T>,
): Promise<T> => {
  if (container.mounts.every(({ subpath }) => subpath === undefined)) return work(container);
  const releases: (() => void)[] = [];
  try {
    const mounts = container.mounts.map((mount, at) => {
      if (mount.subpath === undefined) return mount;
      const name = `${container.id}.${at}`;
      const bound = bindSubpath(parts.config.execRoot, name, mount.source, mount.subpath);
      releases.push(bound.release);
      return { ...mount, source: bound.path };
    });
    return await work({ ...container, mounts });
  } finally {
    for (const release of releases) release();
  }
};

export const unmountVolumes = (parts: Mounting, container: Container): void => {
  for (const mount of container.mounts) {
    const volume = mount.type === 'volume' && parts.volumes.list().find((v) => v.name === mount.name);
    if (volume && !parts.volumes.usedBy(volume.name).some((id) => id !== container.id && runs(parts, id)))
      parts.volumes.unmount(volume.name);
  }
};

const runs = (parts: Mounting, id: string): boolean =>
  (parts.model.containers.get(id)?.sandboxId ?? null) !== null;
