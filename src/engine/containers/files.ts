/** `docker cp` and `docker export`: a container's files as its record says they are, whether it runs or not. */

import { existsSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { ENOTDIR, failedWith } from '../../errno.js';
import { conflict, invalid } from '../../errors.js';
import type { FileMount, FileView } from '../../files/contract.js';
import { makeDirectories, makeFile } from '../../files/directories.js';
import type { Container, MountPoint } from '../../model/container.js';
import type { ContainerCommands, ContainerCreateRequest } from '../contract.js';
import type { Outside, Writing } from '../parts.js';
import type { View } from '../view.js';
import { etcMounted } from './etc-files.js';
import { fillVolumes, readyVolumes, sourceOf, useMounts } from './mounts.js';
import { containerEvent } from './state.js';

/** A container whose files can be reached, and the path of its root. */
interface Mounted {
  readonly container: Container;
  readonly root: string;
}

type Filing = Pick<View, 'model' | 'config'> &
  Pick<Writing, 'log' | 'events'> &
  Pick<Outside, 'images' | 'runtime' | 'volumes' | 'mountUsers'>;

/** A tmpfs is the running container's alone: what lies below it is what `docker cp` sees, as in Docker. */
const mounted = (parts: Filing, mount: MountPoint): readonly FileMount[] =>
  mount.type === 'tmpfs'
    ? []
    : [
        {
          destination: mount.destination,
          source: sourceOf(parts, mount),
          ...(mount.subpath ? { subpath: mount.subpath } : {}),
          readOnly: !mount.rw,
        },
      ];

const etcFiles = (parts: Filing, container: Container): readonly FileMount[] =>
  etcMounted(parts, container).flatMap(([destination, source]) =>
    existsSync(source) ? [{ destination, source, readOnly: false }] : [],
  );

const viewOf = (parts: Filing, { container, root }: Mounted, name: string): FileView => {
  // Docker has these, empty, before the first start writes them; afterwards the runtime has made them to mount on.
  if (container.state.status === 'created')
    for (const [destination] of etcMounted(parts, container)) makeFile(root, destination);
  return {
    name,
    root,
    readOnly: container.hostConfig.ReadonlyRootfs === true,
    mounts: [...etcFiles(parts, container), ...container.mounts.flatMap((mount) => mounted(parts, mount))],
  };
};

/** Whose the copied files become with `copyUIDGID`: the container's user, where it has one. */
const ownerOf = (parts: Filing, { container, root }: Mounted) =>
  container.config.User === '' ? {} : { owner: parts.runtime.user(root, container.config.User) };

/** What a container has before its first start, for `docker cp`: its working directory, and what its volumes begin with. */
export const hasFilesToPrepare = (container: Container, { config }: ContainerCreateRequest): boolean =>
  config.WorkingDir !== '' || container.mounts.some(({ type }) => type === 'volume');

const makeWorkingDirectory = (root: string, path: string): void => {
  try {
    makeDirectories(root, path);
  } catch (error) {
    if (failedWith(error, ENOTDIR)) throw invalid(`Cannot mkdir: ${path} is not a directory`, error);
    throw error;
  }
};

/** One that is being removed would have its root made anew behind the removal's back, or taken away under the copy. */
const stillThere = (parts: Filing, id: string): Container => {
  const container = parts.model.getContainer(id);
  if (container.state.status === 'removing') throw conflict(`container ${container.name} is being removed`);
  return container;
};

/** `work` with the container's root, and unless it says otherwise its volumes, mounted and in use. */
const withMounts = async <T>(
  parts: Filing,
  container: Container,
  work: (mounted: Mounted) => T | Promise<T>,
  mounts = container.mounts,
): Promise<T> => {
  const { id } = container;
  const leave = useMounts(parts, container);
  try {
    await readyVolumes(parts, mounts);
    const root = await parts.images.mount(id, stillThere(parts, id).imageId);
    return await work({ container: stillThere(parts, id), root });
  } finally {
    leave();
  }
};

/** A tar is read long after the call: the mounts stay in use until its end. */
const usedUntilEnd = (parts: Filing, container: Container, tar: Readable): Readable =>
  tar.once('close', useMounts(parts, container));

export const prepareFiles = (parts: Filing, container: Container): Promise<void> =>
  withMounts(parts, container, async ({ root }) => {
    if (container.config.WorkingDir !== '') makeWorkingDirectory(root, container.config.WorkingDir);
    await fillVolumes(parts, container, root);
  });

export const createFileCommands = (
  parts: Filing,
): Pick<ContainerCommands, 'stat' | 'archive' | 'extract' | 'export'> => ({
  stat: async (reference, path) =>
    withMounts(parts, parts.model.getContainer(reference), (mounted) =>
      parts.runtime.stat(viewOf(parts, mounted, reference), path),
    ),
  archive: async (reference, path) =>
    withMounts(parts, parts.model.getContainer(reference), (mounted) => {
      const { stat, tar } = parts.runtime.archive(viewOf(parts, mounted, reference), path);
      containerEvent(parts, mounted.container, 'archive-path');
      return { stat, tar: usedUntilEnd(parts, mounted.container, tar) };
    }),
  extract: async (reference, path, tar, { noOverwriteDirNonDir, copyUidGid }) =>
    withMounts(parts, parts.model.getContainer(reference), async (mounted) => {
      const view = viewOf(parts, mounted, reference);
      const owner = copyUidGid ? ownerOf(parts, mounted) : {};
      await parts.runtime.extract(view, path, tar, { noOverwriteDirNonDir, ...owner });
      containerEvent(parts, mounted.container, 'extract-to-dir');
    }),
  // as Docker: without volumes
  export: async (reference) =>
    withMounts(
      parts,
      parts.model.getContainer(reference),
      ({ container, root }) => {
        const tar = parts.runtime.export(root);
        containerEvent(parts, container, 'export');
        return usedUntilEnd(parts, container, tar);
      },
      [],
    ),
});
