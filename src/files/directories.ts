/** Directories and empty files made in a root, for a container that does not run yet. */
import { closeSync, fchmodSync } from 'node:fs';
import { SystemError } from '../kernel/ffi.js';
import { createFile } from '../kernel/file-calls.js';
import { fromText, openView, resolveDirectory } from './view.js';

/** Those of the path that are missing (mode 0755, root's). Throws SystemError: ENOTDIR where something else is there. */
export const makeDirectories = (root: string, path: string): void => {
  const view = openView({ name: '', root, readOnly: false, mounts: [] });
  try {
    closeSync(resolveDirectory(view, fromText(path), { make: true }).fd);
  } finally {
    closeSync(view.root);
  }
};

/** An empty file (mode 0644, root's) where nothing is; where none can be made, there is none. */
export const makeFile = (root: string, path: string): void => {
  const slash = path.lastIndexOf('/');
  const view = openView({ name: '', root, readOnly: false, mounts: [] });
  try {
    const directory = resolveDirectory(view, fromText(path.slice(0, slash) || '/'), { make: true });
    try {
      const file = createFile(directory.fd, fromText(path.slice(slash + 1)));
      fchmodSync(file, 0o644);
      closeSync(file);
    } finally {
      closeSync(directory.fd);
    }
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
  } finally {
    closeSync(view.root);
  }
};
