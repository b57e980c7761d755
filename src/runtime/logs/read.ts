/** A container's log as lines: from the beginning or the last N, between two times, and on while the container runs. */

import { closeSync, type FSWatcher, fstatSync, openSync, readSync, statSync, watch } from 'node:fs';
import { attempt } from '../../errors.js';
import { createPace } from '../../pace.js';
import type { LogLine, LogRequest } from '../contract.js';
import { instantOf, joiner, parseEntry } from './entry.js';
import { type TailStart, tailStart } from './tail.js';

const BLOCK = 64 * 1024;
const NEWLINE = 0x0a;
/** milliseconds; a look without a notice, for what fs.watch may miss */
const LOOK = 1_000;

/** Is the container still running? And a call once it is not. */
export interface Liveness {
  isRunning(): boolean;
  /** Answers a function that takes the call back. */
  onEnd(callback: () => void): () => void;
}

/** A wait that ends by a notice, by time, or because the reader has left. */
const alarm = (path: string, liveness: Liveness) => {
  let wake = () => {};
  let rung = false;
  const ring = () => {
    rung = true;
    wake();
  };
  let watcher: FSWatcher | undefined;
  try {
    watcher = watch(path, { persistent: false }, ring);
    watcher.on('error', ring);
  } catch {
    // The file may have been replaced just now: the timer will do.
  }
  const forget = liveness.onEnd(ring);
  return {
    ring,
    wait: () =>
      new Promise<void>((resolve) => {
        const timer = setTimeout(() => wake(), LOOK);
        wake = () => {
          clearTimeout(timer);
          wake = () => {};
          rung = false;
          resolve();
        };
        if (rung) wake();
      }),
    close: () => {
      watcher?.close();
      forget();
    },
  };
};

const openLog = (path: string): number => attempt(() => openSync(path, 'r')) ?? -1;

const isSameFile = (fd: number, path: string): boolean =>
  attempt(() => fstatSync(fd).ino === statSync(path).ino) ?? true;

const WHOLE: TailStart = { start: 0, after: -1 };

async function* lines(
  path: string,
  request: LogRequest,
  liveness: Liveness,
  left: () => boolean,
  useAlarm: (ring: () => void) => void,
): AsyncGenerator<LogLine> {
  let fd = openLog(path);
  const bell = request.follow ? alarm(path, liveness) : undefined;
  if (bell) useAlarm(bell.ring);
  const join = joiner();
  const block = Buffer.alloc(BLOCK);
  let carried: Buffer = Buffer.alloc(0);
  // A reader as fast as we are never makes us wait, and a log has any length.
  const pace = createPace();
  const from = fd >= 0 && request.tail >= 0 ? await tailStart(fd, request.tail, pace) : WHOLE;
  let { after } = from;
  let position = from.start;
  let offset = from.start;
  const wanted = (line: LogLine | undefined): line is LogLine =>
    line !== undefined &&
    request[line.stream] &&
    (request.since <= 0 || instantOf(line.time) >= request.since);
  const isLater = (line: LogLine) => request.until > 0 && instantOf(line.time) > request.until;

  try {
    for (;;) {
      const running = liveness.isRunning();
      const read = fd < 0 ? 0 : readSync(fd, block, 0, BLOCK, position);
      if (left()) return;
      if (read > 0) {
        position += read;
        let text = Buffer.concat([carried, block.subarray(0, read)]);
        for (let end = text.indexOf(NEWLINE); end >= 0; end = text.indexOf(NEWLINE)) {
          const entry = parseEntry(text.subarray(0, end));
          const line = entry && join.add(entry);
          const begins = offset;
          offset += end + 1;
          text = text.subarray(end + 1);
          if (pace.due()) await pace.rest();
          if (left()) return;
          if (begins <= after || !wanted(line)) continue;
          if (isLater(line)) return;
          yield line;
        }
        carried = Buffer.from(text);
        continue;
      }
      if (fd < 0 || !isSameFile(fd, path)) {
        // conmon started a new file because this one was full.
        const next = openLog(path);
        if (next >= 0) {
          if (fd >= 0) closeSync(fd);
          fd = next;
          position = offset = 0;
          after = -1;
          carried = Buffer.alloc(0);
          continue;
        }
      }
      if (!bell || !running) break;
      await bell.wait();
      if (left()) return;
    }
    for (const line of join.flush()) if (wanted(line) && !isLater(line)) yield line;
  } finally {
    bell?.close();
    if (fd >= 0) closeSync(fd);
  }
}

/** `return()` also ends a wait that is under way: a reader who leaves holds nothing. */
export const readLog = (path: string, request: LogRequest, liveness: Liveness): AsyncIterable<LogLine> => ({
  [Symbol.asyncIterator]: () => {
    let gone = false;
    let ring = () => {};
    const generator = lines(
      path,
      request,
      liveness,
      () => gone,
      (given) => {
        ring = given;
      },
    );
    return {
      next: () => generator.next(),
      return: () => {
        gone = true;
        ring();
        return generator.return(undefined);
      },
    };
  },
});
