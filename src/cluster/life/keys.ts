/**
 * A node's private keys: its certificate's, and on managers the one that the cluster's secrets are sealed with. While the daemon runs they
 * lie open below the exec root, which is memory and gone with a reboot; on the disk they lie as they are, or sealed under the unlock
 * key where managers are locked (`--autolock`). Invariant: with a lock, no key is on the disk unsealed.
 */
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { unauthorized } from '../../errors.js';
import { seal, unseal } from '../ca/seal.js';
import { WORDS } from '../words.js';
import type { Layout } from './layout.js';
import { readText, writeWhole } from './whole.js';

const NAMES = ['node.key', 'data.key'] as const;
type KeyName = (typeof NAMES)[number];

export interface Keys {
  /** There are keys, and nobody has opened them since the daemon began. */
  locked(): boolean;
  /** Throws unauthorized, in moby's words, where it is another key. */
  unlock(unlockKey: Buffer): void;
  /** From now on; undefined: no lock. */
  lock(unlockKey: Buffer | undefined): void;
  isLocking(): boolean;
  /** Path of an open key, for programs that read it. */
  path(name: KeyName): string;
  read(name: KeyName): string | undefined;
  write(name: KeyName, text: string): void;
  remove(name: KeyName): void;
}

/** What a former daemon left open is closed again where managers are locked: they are at each start, as Docker's are. */
export const openKeys = ({ directory, run }: Pick<Layout, 'directory' | 'run'>): Keys => {
  const plain = (name: KeyName): string => join(directory, name);
  const sealed = (name: KeyName): string => join(directory, `${name}.sealed`);
  const open = (name: KeyName): string => join(run, name);
  const isSealed = (): boolean => NAMES.some((name) => existsSync(sealed(name)));
  let unlockKey: Buffer | undefined;

  const lay = (name: KeyName, text: string): void => {
    if (unlockKey) {
      writeWhole(sealed(name), seal(unlockKey, text, name));
      rmSync(plain(name), { force: true });
    } else {
      writeWhole(plain(name), text);
      rmSync(sealed(name), { force: true });
    }
  };

  if (isSealed()) for (const name of NAMES) rmSync(open(name), { force: true });

  const read = (name: KeyName): string | undefined => {
    const there = readText(open(name));
    if (there !== undefined) return there;
    const text = readText(plain(name));
    if (text !== undefined) writeWhole(open(name), text);
    return text;
  };

  return {
    locked: () => unlockKey === undefined && isSealed(),
    unlock(key) {
      const opened = NAMES.flatMap((name) => {
        const text = readText(sealed(name));
        if (text === undefined) return [];
        const found = unseal(key, text, name);
        if (found === undefined) throw unauthorized(WORDS.wrongKey);
        return [[name, found] as const];
      });
      unlockKey = key;
      for (const [name, text] of opened) {
        rmSync(plain(name), { force: true }); // of a daemon that died while it sealed
        writeWhole(open(name), text);
      }
    },
    lock(key) {
      if (key === unlockKey || (key && unlockKey?.equals(key))) return;
      unlockKey = key;
      for (const name of NAMES) {
        const text = read(name);
        if (text !== undefined) lay(name, text);
      }
    },
    isLocking: () => unlockKey !== undefined,
    path: open,
    read,
    write(name, text) {
      lay(name, text);
      writeWhole(open(name), text);
    },
    remove(name) {
      for (const path of [plain(name), sealed(name), open(name)]) rmSync(path, { force: true });
    },
  };
};
