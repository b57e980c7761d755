/**
 * Attached clients of one container share a single connection to conmon. Without that, conmon would take any client's
 * leaving as the end of the container's input; and a client that does not read would stop the others one by one.
 */
import { Readable, Writable } from 'node:stream';
import { type Connection, connectConmon } from './connection.js';
import type { Streams } from './contract.js';

/** Bytes one client may lag behind before the container has to wait for it, as in Docker. */
const LAG = 1_000_000;

export interface AttachTarget {
  readonly bundle: string;
  readonly tty: boolean;
  readonly stdin: boolean;
  /** end of input of one client is the container's (`docker run -i`) */
  readonly stdinOnce: boolean;
}

interface Client {
  readonly stdout: Readable;
  readonly stderr: Readable | null;
}

export interface AttachHub {
  join(): Streams;
  close(): void;
}

const output = (wake: () => void): Readable => new Readable({ read: wake, highWaterMark: LAG });

/** `onEmpty`: the hub holds no connection any more; the next client needs a new one. Throws where conmon is gone. */
export const attachHub = (target: AttachTarget, onEmpty: () => void): AttachHub => {
  const clients = new Set<Client>();
  let closed = false;
  let paused = false;

  const lagging = (stream: Readable | null) => stream !== null && stream.readableLength >= LAG;
  const wake = () => {
    if (!paused || [...clients].some((client) => lagging(client.stdout) || lagging(client.stderr))) return;
    paused = false;
    connection.resume();
  };
  const close = () => {
    if (closed) return;
    closed = true;
    onEmpty();
    connection.close();
  };
  const connection: Connection = connectConmon(target.bundle, {
    record: (stream, data) => {
      for (const client of clients) {
        const to = stream === 'stderr' && client.stderr ? client.stderr : client.stdout;
        if (!to.destroyed && !to.push(data) && lagging(to)) paused = true;
      }
      if (paused) connection.pause();
    },
    end: () => {
      closed = true;
      onEmpty();
      for (const client of clients) {
        client.stdout.push(null);
        client.stderr?.push(null);
      }
    },
  });

  // conmon closes the container's input when its last client leaves, unless told to keep it open: stay connected then.
  const mayLeave = !target.stdin || target.tty || !target.stdinOnce;
  const leave = (client: Client) => {
    if (!clients.delete(client)) return;
    client.stdout.destroy();
    client.stderr?.destroy();
    if (clients.size === 0 && mayLeave) close();
    else wake();
  };

  const input = (): Writable =>
    new Writable({
      write: (chunk: Buffer, _, done) => (closed ? done() : connection.write(chunk, done)),
      final: (done) => {
        if (target.stdinOnce && !target.tty && !closed) connection.endInput();
        done();
      },
    });

  return {
    join: () => {
      const client: Client = {
        stdout: output(() => wake()),
        stderr: target.tty ? null : output(() => wake()),
      };
      clients.add(client);
      for (const stream of [client.stdout, client.stderr]) stream?.on('close', () => settle(client));
      return { ...client, stdin: target.stdin ? input() : null, detach: () => leave(client) };
    },
    close,
  };

  /** Both outputs were read to their end, or thrown away: nothing is left to be sent to this client. */
  function settle(client: Client): void {
    if (client.stdout.destroyed && (client.stderr?.destroyed ?? true)) leave(client);
    else wake();
  }
};
