/** Carries a process's standard streams over a hijacked connection until either side is done. */
import type { Writable } from 'node:stream';
import type { Streams } from '../../runtime/contract.js';
import { detachReader } from './detach.js';
import type { Hijacked } from './hijack.js';
import { pump, STDERR, STDOUT, type StreamNumber } from './stdcopy.js';

export interface Carriage {
  /** frames with stream numbers; false: raw */
  readonly multiplexed: boolean;
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  /** bytes that let go of a terminal; null: none */
  readonly detachKeys: readonly number[] | null;
  /** the client is gone, or the daemon closes */
  readonly gone: AbortSignal;
}

export interface Carried {
  readonly streams: Streams;
  /** of an exec's process; its output may stay open in others' hands, which nobody waits for */
  readonly exited?: Promise<unknown>;
  /** of a container, asked after its last output: whoever hears of the end then sees it in every other answer too */
  readonly settled?: () => Promise<unknown>;
}

/** How long output may be silent after the process has ended before it counts as finished, as in moby. */
const SILENCE_MS = 2000;

/**
 * Resolves when the streams have ended, the user detached or the client is gone. What is carried may come later: the
 * client has its header already. Rejects where it never comes; the connection is then still the caller's.
 */
export const carry = async (
  coming: Promise<Carried>,
  connection: Hijacked,
  carriage: Carriage,
): Promise<void> => {
  const { output } = connection;
  // Read until the buffer is full: a connection that breaks is noticed before anything is carried.
  connection.input?.read(0);
  // Also where the client is gone by now: somebody has to let go of what comes.
  const { streams, exited, settled } = await coming;
  const left = new Promise<void>((resolve) => {
    const leave = (): void => resolve();
    if (carriage.gone.aborted) leave();
    carriage.gone.addEventListener('abort', leave, { once: true });
    readInput(streams, connection, carriage, leave);
  });
  const number = (stream: StreamNumber): StreamNumber | null => (carriage.multiplexed ? stream : null);
  const copied = Promise.all([
    copy(streams.stdout, carriage.stdout, output, number(STDOUT)),
    streams.stderr === null ? undefined : copy(streams.stderr, carriage.stderr, output, number(STDERR)),
  ]);
  const ended =
    exited === undefined
      ? copied.then(settled)
      : Promise.all([exited, Promise.race([copied, silenceAfter(exited, output)])]);
  await Promise.race([ended, left]);
  // A client that is gone has said all; one that only detaches may come back.
  if (carriage.gone.aborted && carriage.stdin) streams.stdin?.end();
  streams.detach();
  if (carriage.gone.aborted) output.destroy();
  else connection.release();
};

/** A stream that nobody asked for is read all the same: full pipes would stop the process. */
const copy = (
  source: Streams['stdout'],
  wanted: boolean,
  output: Writable,
  number: StreamNumber | null,
): Promise<void> => {
  if (wanted) return pump(source, output, number);
  return new Promise((resolve) => {
    source
      .on('end', resolve)
      .on('close', resolve)
      .on('error', () => resolve())
      .resume();
  });
};

const readInput = (streams: Streams, { input }: Hijacked, carriage: Carriage, leave: () => void): void => {
  const { stdin } = streams;
  if (input === null) return;
  if (stdin === null || !carriage.stdin) {
    // Read on, or the end of the connection would never be noticed.
    input.resume();
    return;
  }
  const typed = carriage.detachKeys === null ? undefined : detachReader(carriage.detachKeys);
  // A process that reads no more: what the client still says is dropped, so that its leaving is noticed.
  stdin.on('error', () => input.resume()).on('close', () => input.resume());
  stdin.on('drain', () => input.resume());
  input.on('data', (chunk: Buffer) => {
    const { bytes, detached } = typed?.(chunk) ?? { bytes: chunk, detached: false };
    if (bytes.length > 0 && stdin.writable && !stdin.write(bytes)) input.pause();
    if (detached) leave();
  });
  // The client's half-close: no more input, output goes on.
  input.once('end', () => stdin.end());
  // Reading the request's body may have left the connection paused.
  input.resume();
};

/** Resolves when nothing has been written for a while after the end of the process. */
const silenceAfter = async (exited: Promise<unknown>, output: Writable): Promise<void> => {
  await exited;
  const socket: { readonly bytesWritten?: number } =
    'socket' in output && output.socket ? output.socket : output;
  for (let before = -1, now = 0; now !== before || output.writableNeedDrain; ) {
    before = now;
    await new Promise((resolve) => setTimeout(resolve, SILENCE_MS).unref());
    now = socket.bytesWritten ?? 0;
  }
};
