/** Streams that are no running container's: of its log, of its log first, and empty ones. */

import { Readable } from 'node:stream';
import type { Container } from '../../model/container.js';
import type { Streams } from '../../runtime/contract.js';
import type { Outside } from '../parts.js';
import type { View } from '../view.js';
import { settlesWithin } from '../within.js';
import type { Waiters } from './waiters.js';

type Streaming = Pick<View, 'model'> & Pick<Outside, 'runtime'>;

async function* texts(
  parts: Streaming,
  container: Container,
  stream: 'stdout' | 'stderr',
): AsyncIterable<Buffer> {
  const request = {
    stdout: stream === 'stdout',
    stderr: stream === 'stderr',
    since: 0,
    until: 0,
    tail: -1,
    follow: false,
  };
  for await (const line of parts.runtime.logs(container.id, request)) yield line.text;
}

/** What was logged so far, as streams that end: `attach?logs=1` without a stream. */
export const allLogs = (parts: Streaming, container: Container): Streams => {
  const stdout = readable(texts(parts, container, 'stdout'));
  const stderr = container.config.Tty ? null : readable(texts(parts, container, 'stderr'));
  const detach = (): void => {
    stdout.destroy();
    stderr?.destroy();
  };
  return { stdin: null, stdout, stderr, detach };
};

/** Of a container that does not come to run. */
export const noStreams = (): Streams => ({
  stdin: null,
  stdout: readable([]),
  stderr: null,
  detach: () => {},
});

/** A log that cannot be read ends: its reader sees the end, and the daemon lives on. */
const readable = (from: Iterable<Buffer> | AsyncIterable<Buffer>): Readable =>
  Readable.from(from, { objectMode: false }).on('error', () => {});

/** What was logged so far, then what comes: `attach?logs=1&stream=1`. The live streams wait meanwhile. */
const joined = (past: Readable, live: Readable): Readable =>
  readable(
    (async function* () {
      yield* past;
      yield* live;
    })(),
  );

export const afterLogs = (parts: Streaming, container: Container, live: Streams): Streams => {
  const past = allLogs(parts, container);
  const stderr = past.stderr && live.stderr ? joined(past.stderr, live.stderr) : live.stderr;
  const detach = (): void => {
    past.detach();
    live.detach();
  };
  return { stdin: live.stdin, stdout: joined(past.stdout, live.stdout), stderr, detach };
};

/** For an end to be recorded after the last output; one whose conmon was killed says no more, and runs on. */
const SETTLE_MS = 10_000;

/** The streams, and when their end shows in the record. A run is known by its sandbox: the next one is not waited for. */
export const settling = (parts: Streaming, waiters: Waiters, id: string, streams: Promise<Streams>) => {
  const sandbox = (): string | null | undefined => parts.model.containers.get(id)?.sandboxId;
  const begun = streams.then(sandbox);
  return {
    streams,
    settled: async (): Promise<void> => {
      const run = await begun;
      if (!run || run !== sandbox()) return;
      await settlesWithin(waiters.wait(id, 'next-exit'), SETTLE_MS);
    },
  };
};
