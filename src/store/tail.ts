/**
 * What was committed since the database was last written: one line a commit, in a file beside the database. The kernel
 * keeps it when the daemon is killed; what must outlive the machine as well is waited for off the main thread, while
 * the kernel's objects are made. Each line carries the generation of the database that it goes on from, so lines that
 * the database has gone beyond are never played again, and the id of the boot: after another one, lines that nobody
 * waited for mean nothing. The file keeps its length (zeros behind the last line): the disk has only data to write.
 */
import { createHash } from 'node:crypto';
import {
  closeSync,
  constants,
  fdatasync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { promisify } from 'node:util';

const whenOnDisk = promisify(fdatasync);

export interface Tail<T> {
  /** The commits left by a daemon before us, in order. A torn last line counts as never written. */
  readonly left: readonly T[];
  /** bytes of the lines since `clear` */
  readonly length: number;
  append(commit: T, durable: boolean): void;
  /** Resolves when every durable commit so far is on the disk; undefined: they are. Rejects where the disk refuses. */
  written(): Promise<void> | undefined;
  /** Everything is in the database now, whose state is this generation. */
  clear(generation: number): void;
  close(): void;
}

const { O_RDWR, O_CREAT } = constants;
const NUL = 0;
/** Bytes laid out in advance; a tail that outgrows them is as safe, and slower. */
export const RESERVE = 1 << 20;
/** `<generation> <boot id> <d: durable, s: not> <checksum> <JSON>` */
const LINE = /^(\d{1,16}) ([0-9a-f-]{36}) ([ds]) ([0-9a-f]{16}) (.*)$/s;

/** Tells a line that the disk has only part of from one it has whole. */
const checksum = (text: string): string => createHash('sha1').update(text).digest('hex').slice(0, 16);

/** Changes with every boot of the kernel. */
const bootId = (): string => readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();

/** Whole lines up to the first zero byte; what follows the last line end was being written when the daemon died. */
const lines = (path: string): readonly string[] => {
  try {
    const all = readFileSync(path);
    const end = all.indexOf(NUL);
    return all
      .toString('utf8', 0, end < 0 ? all.length : end)
      .split('\n')
      .slice(0, -1);
  } catch {
    return [];
  }
};

const leftIn = <T>(path: string, generation: number, boot: string): readonly T[] => {
  const commits: T[] = [];
  let certain = 0;
  for (const line of lines(path)) {
    const [, from, then, kind, sum, json = ''] = LINE.exec(line) ?? [];
    // Older than the database, or damaged; what comes behind builds on what is lost.
    if (Number(from) !== generation || sum !== checksum(json)) break;
    commits.push(JSON.parse(json) as T); // written by `append`
    if (then === boot || kind === 'd') certain = commits.length;
  }
  // Waiting for a line is waiting for all before it: the rest of another boot's may be there or not.
  return commits.slice(0, certain);
};

/** For root only: it holds what the database holds. */
const laidOut = (path: string): number => {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const fd = openSync(path, O_RDWR | O_CREAT, 0o600);
  const { size } = fstatSync(fd);
  if (size < RESERVE) writeSync(fd, Buffer.alloc(RESERVE - size), 0, RESERVE - size, size);
  fsyncSync(fd);
  return fd;
};

/** `generation`: of the database as it was found. */
export const openTail = <T>(path: string, generation: number): Tail<T> => {
  const boot = bootId();
  const left = leftIn<T>(path, generation, boot);
  const fd = laidOut(path);
  let length = 0;
  let now = generation;
  /** durable commits so far, and how many of them the disk has */
  let asked = 0;
  let synced = 0;
  let turn: Promise<void> | undefined;

  const sync = async (): Promise<void> => {
    const upTo = asked;
    await whenOnDisk(fd);
    synced = upTo;
  };
  /** One wait for the disk at a time; it serves all that were appended before it began. */
  const askDisk = (): Promise<void> => {
    turn ??= sync().finally(() => {
      turn = undefined;
    });
    return turn;
  };
  const written = async (target: number): Promise<void> => {
    while (synced < target) await askDisk();
  };
  return {
    left,
    get length() {
      return length;
    },
    append(commit, durable) {
      const json = JSON.stringify(commit);
      const line = Buffer.from(`${now} ${boot} ${durable ? 'd' : 's'} ${checksum(json)} ${json}\n\0`);
      writeSync(fd, line, 0, line.length, length);
      length += line.length - 1;
      if (!durable) return;
      asked += 1;
      // Whoever answers for the commit awaits it; here the disk only begins.
      written(asked).catch(() => {});
    },
    written: () => (synced < asked ? written(asked) : undefined),
    clear(generation) {
      now = generation;
      length = 0;
    },
    close: () => closeSync(fd),
  };
};
