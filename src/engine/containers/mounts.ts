/** Sources of a container's mounts, made ready before its start: directories for binds, volumes mounted and filled. */
import { existsSync, mkdirSync } from 'node:fs';
import type { Container, MountPoint } from '../../model/container.js';
import type { Parts } from '../parts.js';
import { copyUp } from '../volumes.js';

/** `-v /missing:/x` makes the directory, as Docker does. */
const makeSource = (source: string): void => {
  if (!existsSync(source)) mkdirSync(source, { recursive: true, mode: 0o755 });
};

/** Where the files of a bind or volume are: made, or mounted, where they are not yet. */
export const sourceOf = (parts: Parts, mount: MountPoint): string => {
  if (mount.type === 'volume') return parts.volumes.mount(mount.name);
  makeSource(mount.source);
  return mount.source;
};

export const mountVolumes = (parts: Parts, container: Container, rootfs: string): void => {
  for (const mount of container.mounts) {
    if (mount.type === 'bind') makeSource(mount.source);
    if (mount.type !== 'volume') continue;
    const directory = parts.volumes.mount(mount.name);
    if (!mount.mode.split(',').includes('nocopy')) copyUp(rootfs, mount.destination, directory);
  }
};

export const unmountVolumes = (parts: Parts, container: Container): void => {
  for (const mount of container.mounts) {
    const volume = mount.type === 'volume' && parts.volumes.list().find((v) => v.name === mount.name);
    if (volume && !parts.volumes.usedBy(volume.name).some((id) => id !== container.id && runs(parts, id)))
      parts.volumes.unmount(volume.name);
  }
};

const runs = (parts: Parts, id: string): boolean =>
  (parts.model.containers.get(id)?.sandboxId ?? null) !== null;
