/**
 * What was committed since the database was last written: one line a commit, in a file beside the database. The kernel
 * keeps it when the daemon is killed; what must outlive the machine as well is waited for off the main thread, while
 * the kernel's objects are made. Each line carries the generation of the database that it goes on from, so lines that
 * the database has gone beyond are never played again, and the id of the boot: after another one, lines that nobody
 * waited for mean nothing. The file keeps its length (zeros behind the last line): the disk has only data to write.
 * Whatever is not as it was written is told of (`damage`): a line is marked at its begin, summed up whole, and closed by a
 * zero byte, so that no single byte can take it away unnoticed.
 */
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
import { unavailable } from '../errors.js';
import { checksum, formerChecksum } from './values.js';

const whenOnDisk = promisify(fdatasync);

/** What a daemon before us left. */
export interface Left<T> {
  /** its commits, in order, as far as they are whole */
  readonly commits: readonly T[];
  /** where what follows them goes */
  readonly end: number;
  /** what is wrong with the rest, for the log: a line that was being written when it died, or damage */
  readonly damage?: string;
  /** it goes on from a later state of the database than the one that is there */
  readonly ahead: boolean;
}

export interface Tail<T> {
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
/** `+<generation> <boot id> <d: durable, s: not> <checksum> <JSON>`; a former version wrote no mark, and summed up the JSON alone. */
const LINE = /^\+?(\d{1,16}) ([0-9a-f-]{36}) ([ds]) ([0-9a-f]{16}) (.*)$/s;
const MARK = '+';

/** Changes with every boot of the kernel. */
const bootId = (): string => readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();

interface Line {
  readonly generation: number;
  readonly boot: string;
  readonly durable: boolean;
  readonly json: string;
}

const parse = (text: string): Line | undefined => {
  const [, generation = '', boot = '', kind = '', sum, json = ''] = LINE.exec(text) ?? [];
  const whole = text.startsWith(MARK) ? checksum(generation, boot, kind, json) : formerChecksum(json);
  return sum === whole ? { generation: Number(generation), boot, durable: kind === 'd', json } : undefined;
};

const contents = (path: string): Buffer | undefined => {
  try {
    return readFileSync(path);
  } catch {
    return undefined;
  }
};

/** Lines of this generation behind the end: the end was not there when they were written. */
const goesOn = (all: Buffer, end: number, generation: number): boolean =>
  all.includes(`${generation} `, end + 1) &&
  all
    .toString('utf8', end + 1)
    .split(/[\n\0]+/)
    .some((text) => (parse(text) ?? parse(`${MARK}${text}`))?.generation === generation);

/** `all`: of the file, undefined where there is none. `generation`: of the database as it was found. */
export const leftIn = <T>(all: Buffer | undefined, generation: number): Left<T> => {
  const nothing = { commits: [], end: 0, ahead: false };
  if (all === undefined) return nothing;
  const end = all.indexOf(NUL);
  const text = all.toString('utf8', 0, end < 0 ? all.length : end);
  const boot = bootId();
  const commits: T[] = [];
  const ends: number[] = [];
  let certain = 0;
  let at = 0;
  let damage = end < 0 || all.length < RESERVE ? 'the journal of the last changes was cut short' : undefined;
  for (const piece of text.split(/(?<=\n)/)) {
    const line = piece.endsWith('\n') ? parse(piece.slice(0, -1)) : undefined;
    if (line === undefined) {
      if (piece !== '')
        damage ??=
          'a line of the journal of the last changes is not whole: it and what follows are not known';
      break;
    }
    // Older: the database has gone beyond it.
    if (line.generation !== generation) return { ...nothing, ahead: line.generation > generation };
    at += Buffer.byteLength(piece);
    commits.push(JSON.parse(line.json) as T); // written by `append`
    ends.push(at);
    if (line.boot === boot || line.durable) certain = commits.length;
  }
  if (end >= 0 && goesOn(all, end, generation))
    damage ??= 'the journal of the last changes ends too soon: what follows is not known';
  // Waiting for a line is waiting for all before it: the rest of another boot's may be there or not.
  return {
    commits: commits.slice(0, certain),
    end: ends[certain - 1] ?? 0,
    ahead: false,
    ...(damage === undefined ? {} : { damage }),
  };
};

/** What a daemon before us left in the file at `path`. */
export const readTail = <T>(path: string, generation: number): Left<T> => leftIn(contents(path), generation);

/** For root only: it holds what the database holds. `anew`: nothing of what is in it will ever be asked for. */
const laidOut = (path: string, anew: boolean): number => {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const fd = openSync(path, O_RDWR | O_CREAT, 0o600);
  const { size } = fstatSync(fd);
  if (anew && size > 0) writeSync(fd, Buffer.alloc(size), 0, size, 0);
  try {
    if (size < RESERVE) writeSync(fd, Buffer.alloc(RESERVE - size), 0, RESERVE - size, size);
    fsyncSync(fd);
  } catch {
    // A full disk: what is appended says so, when it does not fit.
  }
  return fd;
};

/** `generation`: of the database as it was found. `from`: where what was left ends; undefined: begins anew. */
export const openTail = <T>(path: string, generation: number, from: number | undefined): Tail<T> => {
  const boot = bootId();
  const fd = laidOut(path, from === undefined);
  let length = from ?? 0;
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
    get length() {
      return length;
    },
    append(commit, durable) {
      const json = JSON.stringify(commit);
      const kind = durable ? 'd' : 's';
      const sum = checksum(String(now), boot, kind, json);
      const line = Buffer.from(`${MARK}${now} ${boot} ${kind} ${sum} ${json}\n\0`);
      // A disk that is nearly full takes a part; the next line is written over it.
      if (writeSync(fd, line, 0, line.length, length) < line.length)
        throw unavailable('no space left on device for the record of networks and containers');
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
