/** Is the root directory a mount point? In a plain chroot it is none, and no container's root can take its place there. */
import { readFileSync } from 'node:fs';

/** `mountinfo`: text of /proc/PID/mountinfo, whose fifth field is the mount point as the process sees it. */
export const hasRootMount = (mountinfo: string): boolean =>
  mountinfo.split('\n').some((line) => line.split(' ')[4] === '/');

export const rootIsMountPoint = (): boolean => hasRootMount(readFileSync('/proc/self/mountinfo', 'utf8'));
