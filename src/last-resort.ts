/**
 * Exceptions and rejections that nobody caught end the daemon, but for broken connections. The records on the disk
 * are whole at every instruction (ADR 2), so ending is always safe, and a daemon that has lost its way must end; but
 * a client whose connection breaks is no reason to. Every stream has a listener of its own
 * (`test/unit/listeners.test.ts`): this is for the one that was forgotten.
 */
import type { Logger } from './log.js';

/** What a socket or pipe says when its other side is gone. */
const BROKEN = new Set(['EPIPE', 'ECONNRESET', 'ECONNABORTED', 'ENOTCONN', 'ETIMEDOUT']);
/** What Node's streams say of themselves when they are over; they tell it by an event, and never throw it. */
const OVER = new Set([
  'ERR_STREAM_WRITE_AFTER_END',
  'ERR_STREAM_DESTROYED',
  'ERR_STREAM_PREMATURE_CLOSE',
  'ERR_STREAM_ALREADY_FINISHED',
]);
const STREAM_CALLS = new Set(['read', 'write', 'writev', 'shutdown']);

/**
 * Made by a socket or pipe of Node's, which tells it by an event in a turn of its own: no function of ours is left half
 * done, also where it was a write of ours that failed at once and the stack names us. What a call throws in our face
 * (`fs.writeSync`, one of `kernel/ffi.ts`) begins elsewhere.
 */
const isOfASocket = (error: Error): boolean =>
  /^\s+at .*[( ]node:(internal\/stream_base_commons|net):/.test(
    (error.stack ?? '').split('\n').find((line) => /^\s+at /.test(line)) ?? '',
  );

/** Is this a connection that broke, or a stream that was over, and nothing more? */
export const isOnlyAStream = (error: unknown): boolean => {
  if (!(error instanceof Error)) return false;
  const { code = '', syscall = '' } = error as NodeJS.ErrnoException;
  if (OVER.has(code)) return true;
  return BROKEN.has(code) && STREAM_CALLS.has(syscall) && isOfASocket(error);
};

/** Hears uncaught errors and rejections from now on. `end` is called where the daemon cannot go on. */
export const hearTheUncaught = (log: Logger, end: () => void): void => {
  // A rejection that nobody handles comes this way too, as `origin` says.
  process.on('uncaughtException', (error: unknown, origin: string) => {
    const err = error instanceof Error ? error : new Error(String(error));
    if (isOnlyAStream(error)) {
      log.error({ err, origin }, 'a stream broke and nobody heard it: a fault of ours, but no reason to end');
      return;
    }
    log.error(
      { err, origin },
      'uncaught: the daemon ends here; what is recorded is whole, and containers go on',
    );
    end();
  });
};
