/**
 * Sysctls below /proc/sys. Those of the network belong to the namespace of the thread that opens them, so a sandbox's are
 * reached by entering it. Refusals are KernelErrors.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { asKernelError, EACCES, EINVAL, failedWith, ifThere } from '../errno.js';
import { KernelError } from '../errors.js';
import type { Netns } from '../plan/objects.js';
import { inNamespace } from './netns.js';

/** `net/ipv4/conf/eth0/arp_notify`: plain segments, so that no value from outside leaves /proc/sys. */
const PATH = /^(?!.*(?:^|\/)\.{1,2}(?:\/|$))[^/\0]+(?:\/[^/\0]+)+$/;

const at = <T extends string | undefined>(
  ns: Netns,
  path: string,
  operation: string,
  work: (file: string) => T,
): T => {
  if (path.length > 512 || !PATH.test(path)) throw new KernelError(EINVAL, operation, 'not a sysctl');
  return asKernelError(operation, () => {
    let result: T | undefined;
    inNamespace(ns, () => {
      result = work(`/proc/sys/${path}`);
    });
    return result as T; // set by the callback, which has run
  });
};

const read = (file: string): string => readFileSync(file, 'utf8').trim().replace(/\s+/g, ' ');

/** Without the closing newline; several values are apart by one space. undefined: there is no such sysctl. */
export const readSysctl = (ns: Netns, path: string): string | undefined =>
  ifThere(() => at(ns, path, `sysctl read ${path}`, read));

export const writeSysctl = (ns: Netns, path: string, value: string): void => {
  at(ns, path, `sysctl write ${path}=${value}`, (file) => {
    writeFileSync(file, value);
    return undefined;
  });
};

/** Writes what differs, in one visit of the namespace. Answers the former value; undefined: there was none to read. */
export const exchangeSysctl = (ns: Netns, path: string, value: string): string | undefined =>
  at(ns, path, `sysctl write ${path}=${value}`, (file) => {
    let former: string | undefined;
    try {
      former = read(file);
    } catch (error) {
      if (!failedWith(error, EACCES)) throw error; // write-only ones have no value to go back to
    }
    if (former !== value.trim()) writeFileSync(file, value);
    return former;
  });

/** True where the sysctl has this value, however it is spaced. */
export const hasSysctl = (ns: Netns, path: string, value: string): boolean =>
  readSysctl(ns, path) === value.trim().replace(/\s+/g, ' ');
