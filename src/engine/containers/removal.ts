/** What of a container goes: what it holds while it runs at its end, everything else at its removal. */
import { failpoint } from '../../failpoints.js';
import type { Container } from '../../model/container.js';
import { end } from '../attach/index.js';
import type { Outside, Writing } from '../parts.js';
import type { View } from '../view.js';
import { removeEtc } from './etc-files.js';
import { releaseMounts } from './mounts.js';

type Removing = View &
  Writing &
  Pick<Outside, 'images' | 'runtime' | 'volumes' | 'mountUsers' | 'plugins' | 'networkLocks'>;

const removeAnonymousVolumes = async ({ volumes }: Removing, { mounts }: Container): Promise<void> => {
  for (const mount of mounts) {
    if (mount.type !== 'volume') continue;
    const volume = volumes.list().find((v) => v.name === mount.name);
    if (volume?.anonymous && volumes.usedBy(mount.name).length === 0) await volumes.remove(mount.name, false);
  }
};

/** Everything of a container that does not run, its record last. `volumes`: also those that were made for it alone. */
export const erase = async (parts: Removing, container: Container, volumes: boolean): Promise<void> => {
  const { id } = container;
  await parts.runtime.delete(id).catch(() => undefined);
  releaseMounts(parts, container);
  failpoint('rootfs-released');
  await parts.images.discard(id);
  failpoint('rootfs-discarded');
  await parts.runtime.forget(id);
  removeEtc(parts, id);
  end(parts, id, () => null);
  failpoint('container-removed');
  if (volumes) await removeAnonymousVolumes(parts, container);
};
