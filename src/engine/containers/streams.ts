/** `attach --logs` without a stream: what was logged so far, as streams that end. */
import { Readable } from 'node:stream';
import type { Container } from '../../model/container.js';
import type { Streams } from '../../runtime/contract.js';
import type { Parts } from '../parts.js';

async function* texts(
  parts: Parts,
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

export const allLogs = (parts: Parts, container: Container): Streams => {
  const stdout = Readable.from(texts(parts, container, 'stdout'));
  const stderr = container.config.Tty ? null : Readable.from(texts(parts, container, 'stderr'));
  const detach = (): void => {
    stdout.destroy();
    stderr?.destroy();
  };
  return { stdin: null, stdout, stderr, detach };
};

/** What was logged so far, then what comes: `attach?logs=1&stream=1`. The live streams wait meanwhile. */
const joined = (past: Readable, live: Readable): Readable =>
  Readable.from(
    (async function* () {
      yield* past;
      yield* live;
    })(),
    { objectMode: false },
  );

export const afterLogs = (parts: Parts, container: Container, live: Streams): Streams => {
  const past = allLogs(parts, container);
  const stderr = past.stderr && live.stderr ? joined(past.stderr, live.stderr) : live.stderr;
  const detach = (): void => {
    past.detach();
    live.detach();
  };
  return { stdin: live.stdin, stdout: joined(past.stdout, live.stdout), stderr, detach };
};
