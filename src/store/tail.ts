/**
 * What was committed since the last time we waited for the disk: one line a commit in a file that nobody syncs. The
 * kernel keeps it when the daemon is killed; when the machine goes down it is out of date, and says so by its boot id.
 * Its generation says which state of the database it goes on from: killed between the database's commit and the clearing
 * of the tail, a daemon must not play the tail again.
 */
import { closeSync, ftruncateSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

export interface Tail<T> {
  /** The commits left by a daemon of this boot, in order. A torn last line counts as never written. */
  readonly left: readonly T[];
  append(commit: T): void;
  /** Everything is in the database now, whose state is this generation. */
  clear(generation: number): void;
  close(): void;
}

/** Changes with every boot of the kernel. */
const bootId = (): string => readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();

const read = (path: string): readonly string[] => {
  try {
    return readFileSync(path, 'utf8').split('\n');
  } catch {
    return [];
  }
};

const leftIn = <T>(path: string, header: string): readonly T[] => {
  const [first, ...lines] = read(path);
  if (first !== header) return [];
  // What follows the last line end was being written when the daemon died; before it every line is whole.
  const commits: T[] = [];
  for (const line of lines.slice(0, -1)) {
    try {
      commits.push(JSON.parse(line) as T); // written by `append`
    } catch {
      break; // damaged: what comes behind it builds on what is lost
    }
  }
  return commits;
};

/** `generation`: of the database as it was found. */
export const openTail = <T>(path: string, generation: number): Tail<T> => {
  mkdirSync(dirname(path), { recursive: true, mode: 0o711 });
  const boot = bootId();
  const header = (now: number): string => `${boot} ${now}`;
  const left = leftIn<T>(path, header(generation));
  const fd = openSync(path, 'a', 0o600);
  const clear = (now: number): void => {
    ftruncateSync(fd, 0);
    writeSync(fd, `${header(now)}\n`);
  };
  if (left.length === 0) clear(generation);
  return {
    left,
    append: (commit) => void writeSync(fd, `${JSON.stringify(commit)}\n`),
    clear,
    close: () => closeSync(fd),
  };
};
