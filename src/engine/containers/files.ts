/** `docker cp` and `docker export`: a container's files as its record says they are, whether it runs or not. */

import { existsSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { ENOTDIR, failedWith } from '../../errno.js';
import { invalid } from '../../errors.js';
import type { FileMount, FileView } from '../../files/contract.js';
import { makeDirectories, makeFile } from '../../files/directories.js';
import type { Container, MountPoint } from '../../model/container.js';
import type { ContainerCommands, ContainerCreateRequest } from '../contract.js';
import type { Outside, Writing } from '../parts.js';
import type { View } from '../view.js';
import { etcMounted } from './etc-files.js';
import { fillVolumes, readyVolumes, sourceOf, useMounts } from './mounts.js';
import { containerEvent } from './state.js';

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

const viewOf = (parts: Filing, container: Container, name: string): FileView => {
  const root = parts.images.mount(container.id, container.imageId);
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
const ownerOf = (parts: Filing, container: Container, root: string) =>
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

/** `work` with the container's mounts in use: its root, and volumes that can be mounted at once. */
const withMounts = async <T>(
  parts: Filing,
  container: Container,
  work: (container: Container) => T | Promise<T>,
): Promise<T> => {
  const leave = useMounts(parts, container);
  try {
    await readyVolumes(parts, container);
    return await work(parts.model.getContainer(container.id));
  } finally {
    leave();
  }
};

/** A tar is read long after the call: the mounts stay in use until its end. */
const usedUntilEnd = (parts: Filing, container: Container, tar: Readable): Readable =>
  tar.once('close', useMounts(parts, container));

export const prepareFiles = (parts: Filing, container: Container): Promise<void> =>
  withMounts(parts, container, async () => {
    const root = parts.images.mount(container.id, container.imageId);
    if (container.config.WorkingDir !== '') makeWorkingDirectory(root, container.config.WorkingDir);
    await fillVolumes(parts, container, root);
  });

export const createFileCommands = (
  parts: Filing,
): Pick<ContainerCommands, 'stat' | 'archive' | 'extract' | 'export'> => ({
  stat: async (reference, path) =>
    withMounts(parts, parts.model.getContainer(reference), (container) =>
      parts.runtime.stat(viewOf(parts, container, reference), path),
    ),
  archive: async (reference, path) =>
    withMounts(parts, parts.model.getContainer(reference), (container) => {
      const { stat, tar } = parts.runtime.archive(viewOf(parts, container, reference), path);
      containerEvent(parts, container, 'archive-path');
      return { stat, tar: usedUntilEnd(parts, container, tar) };
    }),
  extract: async (reference, path, tar, { noOverwriteDirNonDir, copyUidGid }) =>
    withMounts(parts, parts.model.getContainer(reference), async (container) => {
      const view = viewOf(parts, container, reference);
      const owner = copyUidGid ? ownerOf(parts, container, view.root) : {};
      await parts.runtime.extract(view, path, tar, { noOverwriteDirNonDir, ...owner });
      containerEvent(parts, container, 'extract-to-dir');
    }),
  export(reference) {
    const container = parts.model.getContainer(reference);
    const leave = useMounts(parts, container);
    try {
      const root = parts.images.mount(container.id, container.imageId); // as Docker: without volumes
      const tar = parts.runtime.export(root);
      containerEvent(parts, container, 'export');
      return usedUntilEnd(parts, container, tar);
    } finally {
      leave();
    }
  },
});
