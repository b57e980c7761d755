/**
 * Docker's framing of several streams in one: a byte for the stream (1 stdout, 2 stderr, 3 the daemon's own errors),
 * three zero bytes, the length as 32 bits big-endian, the bytes.
 */
import type { Readable, Writable } from 'node:stream';

export const STDOUT = 1;
export const STDERR = 2;
export const SYSTEM_ERROR = 3;
export type StreamNumber = typeof STDOUT | typeof STDERR | typeof SYSTEM_ERROR;

const HEADER_BYTES = 8;

export const frame = (stream: StreamNumber, bytes: Uint8Array): Buffer => {
  const framed = Buffer.allocUnsafe(HEADER_BYTES + bytes.length);
  framed.writeUInt32BE(stream * 0x1000000, 0);
  framed.writeUInt32BE(bytes.length, 4);
  framed.set(bytes, HEADER_BYTES);
  return framed;
};

/**
 * Copies until the source ends; a slow reader pauses the source. `null`: raw, without frames.
 * Resolves at the source's end and also when either side is gone.
 */
export const pump = (source: Readable, sink: Writable, stream: StreamNumber | null): Promise<void> =>
  new Promise((resolve) => {
    const onDrain = (): void => {
      source.resume();
    };
    const onData = (chunk: Buffer | string): void => {
      const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
      if (sink.destroyed || !sink.writable) {
        stop();
        return;
      }
      if (sink.write(stream === null ? bytes : frame(stream, bytes))) return;
      source.pause();
      sink.once('drain', onDrain);
    };
    const stop = (): void => {
      // Its later errors are nobody's: the listener stays.
      source.off('data', onData).off('end', stop).off('close', stop);
      sink.off('drain', onDrain).off('close', stop);
      resolve();
    };
    source.on('end', stop).on('close', stop).on('error', stop).on('data', onData);
    sink.on('close', stop);
    if (source.destroyed || source.readableEnded || sink.destroyed) stop();
  });
