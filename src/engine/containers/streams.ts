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
