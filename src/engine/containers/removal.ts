/** The removal of a container that does not run. */
import { failpoint } from '../../failpoints.js';
import type { Container } from '../../model/container.js';
import { end } from '../attach/index.js';
import type { Outside, Writing } from '../parts.js';
import type { View } from '../view.js';
import { removeEtc } from './etc-files.js';
import type { Life } from './life.js';
import { releaseMounts } from './mounts.js';
import { amendState } from './record.js';
import { containerEvent } from './state.js';

type Removing = View &
  Writing &
  Pick<Outside, 'hostPorts' | 'images' | 'runtime' | 'volumes' | 'mountUsers' | 'plugins' | 'networkLocks'>;

const removeAnonymousVolumes = async ({ volumes }: Removing, { mounts }: Container): Promise<void> => {
  for (const mount of mounts) {
    if (mount.type !== 'volume') continue;
    const volume = volumes.list().find((v) => v.name === mount.name);
    if (volume?.anonymous && volumes.usedBy(mount.name).length === 0) await volumes.remove(mount.name, false);
  }
};

/** Everything of it, its record last. */
const erase = async (parts: Removing, container: Container, volumes: boolean): Promise<void> => {
  const { id } = container;
  await parts.runtime.delete(id).catch(() => undefined);
  releaseMounts(parts, container);
  failpoint('rootfs-released');
  await parts.images.discard(id);
  failpoint('rootfs-discarded');
  await parts.runtime.forget(id);
  removeEtc(parts, id);
  end(parts, id, () => null);
  await parts.hostPorts?.released();
  failpoint('container-removed');
  if (volumes) await removeAnonymousVolumes(parts, container);
};

/**
 * Everything of a container that does not run; under its lock. `volumes`: also those that were made for it alone. What cannot be
 * removed is `dead`, as in Docker: to be tried again.
 */
export const remove = async (life: Life, id: string, volumes: boolean): Promise<void> => {
  const { parts } = life;
  life.restarts.cancel(id);
  const container = parts.model.getContainer(id);
  amendState(parts, id, { status: 'removing' });
  try {
    await erase(parts, container, volumes);
  } catch (error) {
    amendState(parts, id, { status: 'dead', error: String(error) });
    throw error;
  }
  life.attachments.abandon(id);
  containerEvent(parts, container, 'destroy');
  const outcome = { exitCode: container.state.exitCode, error: '' };
  life.waiters.tell(id, 'removed', outcome);
  if (container.hostConfig.AutoRemove) life.waiters.remember(id, outcome);
};
