/**
 * File systems of the network, mounted and unmounted by a child: mount(2) does not return before the server answers, and
 * umount(2) writes back what it does not have yet. The child is in our mount namespace, and has util-linux's `mount` ask the
 * kernel as we would, without the file system's own helper. Options are in a file, because others may read a command line
 * and passwords are among them. Invariants: every wait ends; what was given up is not mounted.
 */
import { rmSync, writeFileSync } from 'node:fs';
import { isMounted } from './mount-table.js';
import { ChildError, runProgram } from './program.js';

/** Milliseconds. A server that is there answers in seconds; the kernel asks on for minutes, NFS for ever. */
const LIMIT = 60_000;

export interface RemoteDevice {
  readonly type: string;
  readonly device: string;
  /** as after `-o`, with addresses instead of names */
  readonly options: string;
}

/** One line of fstab(5), which has blanks and the like as octal numbers. */
const tableLine = (directory: string, { type, device, options }: RemoteDevice): string => {
  const fields = [device, directory, type, options || 'defaults', '0', '0'].map((field) =>
    field.replace(/[\s\\#]/g, (sign) => `\\${sign.charCodeAt(0).toString(8).padStart(3, '0')}`),
  );
  return `${fields.join(' ')}\n`;
};

/** What a program said first, without its own name and the directory. */
const words = (error: unknown, directory: string): unknown => {
  if (!(error instanceof ChildError)) return error;
  const [first = ''] = error.stderr.split('\n');
  return new Error(first.replace(`${error.command}: ${directory}: `, '') || error.message, { cause: error });
};

const COMMON = ['--internal-only', '--no-mtab', '--no-canonicalize'];

/** `limit`: milliseconds for the server to answer. */
export const createRemoteMounts = (limit: number = LIMIT) => {
  const run = async (command: string, args: readonly string[], directory: string, signal?: AbortSignal) => {
    const request = { command, args: [...COMMON, ...args, directory], limit };
    try {
      await runProgram({ ...request, ...(signal ? { signal } : {}) });
    } catch (error) {
      throw words(error, directory);
    }
  };
  const unmount = (directory: string): Promise<void> => run('umount', [], directory);
  const mount = async (directory: string, device: RemoteDevice, signal?: AbortSignal): Promise<void> => {
    const table = `${directory}.fstab`;
    try {
      rmSync(table, { force: true });
      writeFileSync(table, tableLine(directory, device), { mode: 0o600, flag: 'wx' });
      await run('mount', ['--fstab', table], directory, signal);
    } catch (error) {
      // Given up just as it succeeded.
      if (isMounted(directory)) await unmount(directory).catch(() => {});
      throw error;
    } finally {
      rmSync(table, { force: true });
    }
  };
  return { mount, unmount };
};
