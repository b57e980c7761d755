/**
 * What a daemon has to itself for its life: its data root, its exec root, its network namespace. Each is an exclusive lock
 * (flock) on a descriptor that stays open and that no child inherits, so it ends with the daemon however that ends.
 */

import { closeSync, constants, fstatSync, mkdirSync, openSync, readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { unavailable } from '../errors.js';
import { textOrNone } from '../small-files.js';
import * as ffi from './ffi.js';

/** A daemon that was killed may be dying still; one that lives will not go by itself. */
const PATIENCE_MS = 1_000;
const LOOK_MS = 20;

/** Held open for good; named so that nobody closes them. */
const held: number[] = [];

interface Holder {
  readonly pid: number;
  /** its arguments, as far as they can be read */
  readonly command: string;
  readonly uid: number;
}

/** `1: FLOCK  ADVISORY  WRITE <pid> <major>:<minor>:<inode> 0 EOF` of /proc/locks; processes of other pid namespaces are not in it. */
const LOCK = /FLOCK +ADVISORY +\w+ +(\d+) +[0-9a-f]+:[0-9a-f]+:(\d+) /;

/** Who has the lock on the open file; undefined where that is not to be seen from here. */
const holderOf = (fd: number): Holder | undefined => {
  const { ino } = fstatSync(fd);
  for (const line of readFileSync('/proc/locks', 'latin1').split('\n')) {
    const [, pid, inode] = LOCK.exec(line) ?? [];
    if (Number(inode) === ino)
      return {
        pid: Number(pid),
        command: textOrNone(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim(),
        uid: Number(/^Uid:\t(\d+)/m.exec(textOrNone(`/proc/${pid}/status`))?.[1] ?? 0),
      };
  }
  return undefined;
};

/** undefined: the lock is ours. Else who has it, after a while in which he may have gone. */
const lock = async (fd: number): Promise<Holder | 'somebody' | undefined> => {
  for (let waited = 0; !ffi.tryLock(fd); waited += LOOK_MS) {
    if (waited >= PATIENCE_MS) return holderOf(fd) ?? 'somebody';
    await delay(LOOK_MS);
  }
  held.push(fd);
  return undefined;
};

const named = (holder: Holder | 'somebody'): string =>
  holder === 'somebody' ? 'another process' : `process ${holder.pid} (${holder.command})`;

const { O_RDWR, O_CREAT, O_NOFOLLOW, O_RDONLY } = constants;

const claimDirectory = async (directory: string, what: string, flag: string): Promise<void> => {
  const fd = openSync(join(directory, 'viaductd.lock'), O_RDWR | O_CREAT | O_NOFOLLOW, 0o600);
  const holder = await lock(fd);
  if (!holder) return;
  closeSync(fd);
  throw unavailable(
    `the ${what} ${directory} is in use by ${named(holder)}: stop that daemon, or give this one a ${flag} of its own`,
  );
};

/** Two daemons on one record or one state of running containers would ruin both. Throws unavailable. */
export const claimRoots = async (dataRoot: string, execRoot: string): Promise<void> => {
  for (const directory of [dataRoot, execRoot]) mkdirSync(directory, { recursive: true, mode: 0o711 });
  await claimDirectory(dataRoot, 'data root', '--data-root');
  if (realpathSync(execRoot) !== realpathSync(dataRoot))
    await claimDirectory(execRoot, 'exec root', '--exec-root');
};

/**
 * Our tables have one name in a network namespace, so it has one daemon. Any user may open his own namespace's file, so
 * only root's lock counts. Throws unavailable.
 */
export const claimNamespace = async (warn: (message: string) => void): Promise<void> => {
  const fd = openSync('/proc/thread-self/ns/net', O_RDONLY);
  const holder = await lock(fd);
  if (!holder) return;
  closeSync(fd);
  if (holder !== 'somebody' && holder.uid !== 0)
    return warn(
      `${named(holder)} has locked the network namespace: a second daemon in it would not be noticed`,
    );
  throw unavailable(
    `this network namespace has a Viaduct already, ${named(holder)}: stop it, or start this one in a network namespace of its own (ip netns exec NAME viaductd …)`,
  );
};
