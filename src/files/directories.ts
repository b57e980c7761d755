/** Directories made in a root, for a container that does not run yet. */
import { closeSync } from 'node:fs';
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
