/**
 * Roots of containers and of builds' steps, mounted and taken away off the loop. Invariants: of one root one thing happens at a
 * time, in the order of asking, so whoever has mounted it and is known to use it (`engine/containers/mount-users.ts`) has it to
 * the end; one is unmounted at a time in all, since the kernel does no more either, and its threads are the file system's too.
 */
import { relative } from 'node:path';
import { mountsBelow } from '../kernel/mount-table.js';
import type { Trash } from '../kernel/trash.js';
import { createQueue } from './queue.js';
import type { Storage } from './storage.js';
import { type Base, discardWritable, mountWritable, unmountWritable } from './writable.js';

export interface Roots {
  /** Answers the root's path. Mounting a mounted one changes nothing. Throws KernelError. */
  mount(containerId: string, base: Base): Promise<string>;
  /** Not mounted, or never made: well. */
  unmount(containerId: string): Promise<void>;
  /** Unmounts it, and removes all that was written in it. */
  discard(containerId: string): Promise<void>;
  /** Whose roots are mounted now. */
  mounted(): readonly string[];
  /** Resolves when all that was asked for is done. */
  settled(): Promise<void>;
}

/** No container's id is empty. */
const UNMOUNTING = '';

export const openRoots = (storage: Storage, trash: Trash): Roots => {
  const inTurn = createQueue();
  const unmount = (id: string): Promise<void> => inTurn(UNMOUNTING, () => unmountWritable(storage, id));
  return {
    mount: (id, base) => inTurn(id, () => mountWritable(storage, id, base)),
    unmount: (id) => inTurn(id, () => unmount(id)),
    discard: (id) =>
      inTurn(id, async () => {
        await unmount(id);
        discardWritable(storage, id, trash);
      }),
    mounted: () => mountsBelow(storage.roots).map((path) => relative(storage.roots, path)),
    settled: inTurn.settled,
  };
};
