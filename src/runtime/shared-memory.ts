/** /dev/shm of containers whose IPC namespace may be shared: a tmpfs on the host, bound into each of them. */
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { invalid } from '../errors.js';
import * as ffi from '../kernel/ffi.js';
import type { StartRequest } from './contract.js';
import type { Layout } from './layout.js';

const DEFAULT_SIZE = 64 * 1024 * 1024;
const directoryOf = (layout: Layout, id: string): string => join(layout.bundle(id), 'shm');

const mountOwn = async (layout: Layout, id: string, size: number): Promise<string> => {
  const directory = directoryOf(layout, id);
  mkdirSync(directory);
  const flags = ffi.MS.NOSUID | ffi.MS.NODEV | ffi.MS.NOEXEC;
  await ffi.mountLater('shm', directory, 'tmpfs', flags, `mode=1777,size=${size}`);
  return directory;
};

/**
 * The directory to bind, or empty where the container has a tmpfs of its own. `donor`: the id of the container whose
 * IPC namespace is joined. Throws invalid where that one does not share.
 */
export const sharedMemoryOf = async (
  request: StartRequest,
  layout: Layout,
  donor: string | undefined,
): Promise<string> => {
  const { container } = request;
  if (donor !== undefined) {
    const directory = directoryOf(layout, donor);
    if (!existsSync(directory))
      throw invalid(
        `cannot join IPC of container ${donor}: non-shareable IPC (hint: use IpcMode:shareable for the donor container)`,
      );
    return directory;
  }
  if (container.hostConfig.IpcMode !== 'shareable') return '';
  return mountOwn(layout, container.id, container.hostConfig.ShmSize || DEFAULT_SIZE);
};

/** Most containers have none. */
export const releaseSharedMemory = async (layout: Layout, id: string): Promise<void> => {
  const directory = directoryOf(layout, id);
  if (existsSync(directory)) await ffi.umountLater(directory).catch(() => {}); // not mounted
};
