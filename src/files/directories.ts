/** Directories and empty files made in a root, for a container that does not run yet. */
import { fchmodSync } from 'node:fs';
import { SystemError } from '../kernel/ffi.js';
import { closing, createFile } from '../kernel/file-calls.js';
import { fromText, plainView, type Spot, withDirectory, withView } from './view.js';

/** Those of the path that are missing (mode 0755, root's). Throws SystemError: ENOTDIR where something else is there. */
export const makeDirectories = (root: string, path: string): void =>
  withView(plainView(root), (view) => withDirectory(view, fromText(path), () => {}, { make: true }));

/** An empty file (mode 0644, root's) where nothing is; where none can be made, there is none. */
export const makeFile = (root: string, path: string): void => {
  const slash = path.lastIndexOf('/');
  const make = ({ fd }: Spot): void =>
    closing(createFile(fd, fromText(path.slice(slash + 1))), (file) => fchmodSync(file, 0o644));
  try {
    withView(plainView(root), (view) =>
      withDirectory(view, fromText(path.slice(0, slash) || '/'), make, { make: true }),
    );
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
  }
};
