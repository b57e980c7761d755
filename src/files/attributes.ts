/** Extended attributes of an inode, by its descriptor. */

import { EOPNOTSUPP, EPERM, ifThere } from '../errno.js';
import * as call from '../kernel/file-calls.js';

export type Attributes = ReadonlyMap<string, Buffer>;

/** Those that mean the same everywhere: file capabilities, and users' own. */
export const travels = (name: string): boolean => name === 'security.capability' || name.startsWith('user.');

/** All but overlayfs's own, which say something about a layer and not about a file. */
export const staysLocal = (name: string): boolean => !name.startsWith('trusted.overlay.');

export const readAttributes = (fd: number, wanted: (name: string) => boolean): Attributes => {
  const found = new Map<string, Buffer>();
  for (const name of call.attributeNames(fd)) {
    if (!wanted(name)) continue;
    const value = call.attribute(fd, name);
    if (value) found.set(name, value);
  }
  return found;
};

/** On a file system without such attributes, or for a user who may not set them, the file goes without, as in Docker. */
export const writeAttributes = (fd: number, attributes: Attributes): void => {
  for (const [name, value] of attributes)
    ifThere(() => call.setAttribute(fd, name, value), EOPNOTSUPP, EPERM);
};
