/** /dev/shm of containers whose IPC namespace may be shared: a tmpfs on the host, bound into each of them. */
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { invalid } from '../errors.js';
import * as ffi from '../kernel/ffi.js';
import type { StartRequest } from './contract.js';
import type { Layout } from './layout.js';

const DEFAULT_SIZE = 64 * 1024 * 1024;
const directoryOf = (layout: Layout, id: string): string => join(layout.bundle(id), 'shm');

type Sharing = Pick<StartRequest, 'container'>;

const hasOwn = ({ container }: Sharing): boolean => container.hostConfig.IpcMode === 'shareable';

/**
 * The directory to bind, or empty where the container has a tmpfs of its own. `donor`: the id of the container whose
 * IPC namespace is joined. Throws invalid where that one does not share.
 */
export const sharedMemoryOf = (request: Sharing, layout: Layout, donor: string | undefined): string => {
  if (donor === undefined) return hasOwn(request) ? directoryOf(layout, request.container.id) : '';
  const directory = directoryOf(layout, donor);
  if (!existsSync(directory))
    throw invalid(
      `cannot join IPC of container ${donor}: non-shareable IPC (hint: use IpcMode:shareable for the donor container)`,
    );
  return directory;
};

/** Of a container that others may join; its bundle is there. Nothing for any other. */
export const mountSharedMemory = async (request: Sharing, layout: Layout): Promise<void> => {
  if (!hasOwn(request)) return;
  const { id, hostConfig } = request.container;
  const directory = directoryOf(layout, id);
  mkdirSync(directory);
  const flags = ffi.MS.NOSUID | ffi.MS.NODEV | ffi.MS.NOEXEC;
  const size = hostConfig.ShmSize || DEFAULT_SIZE;
  await ffi.mountLater('shm', directory, 'tmpfs', flags, `mode=1777,size=${size}`);
};

/** Most containers have none. */
export const releaseSharedMemory = async (layout: Layout, id: string): Promise<void> => {
  const directory = directoryOf(layout, id);
  if (existsSync(directory)) await ffi.umountLater(directory).catch(() => {}); // not mounted
};
