/**
 * Attached clients of one container share a single connection to conmon. Without that, conmon would take any client's
 * leaving as the end of the container's input; and a client that does not read would stop the others one by one.
 *
 * A client that falls LAG behind makes the container wait, as in Docker. Only while it lives: conmon writes to us
 * without end, and a conmon that waits for a client can neither tell how its container ended nor end itself. Of a
 * container that has ended everything is read at once; no more can come than its pipes and sockets hold.
 */
import { Readable, Writable } from 'node:stream';
import { type Connection, connectConmon } from './connection.js';
import type { Streams } from './contract.js';

/** Bytes one client may lag behind before the container has to wait for it, as in Docker. */
const LAG = 1_000_000;
/** Milliseconds between looks whether a container that has to wait has ended. */
const LOOK = 100;
/** Milliseconds for which the end of a container waits until its clients have the last output, as in moby. */
const PATIENCE = 2_000;

export interface AttachTarget {
  readonly bundle: string;
  readonly tty: boolean;
  readonly stdin: boolean;
  /** end of input of one client is the container's (`docker run -i`) */
  readonly stdinOnce: boolean;
  readonly isAlive: () => boolean;
}

interface Client {
  readonly stdout: Readable;
  readonly stderr: Readable | null;
}

export interface AttachHub {
  /** False: it holds no connection any more, the next client needs a new one. */
  readonly open: boolean;
  join(): Streams;
  close(): void;
  /** Of a container that has ended: resolves when its clients have all it wrote, or take too long over it. */
  handedOver(): Promise<void>;
}

const isBehind = (stream: Readable | null): boolean =>
  stream !== null && !stream.destroyed && stream.readableLength > 0;

/** `onEmpty`: neither connection nor clients are left. Throws where conmon is gone. */
export const attachHub = (target: AttachTarget, onEmpty: () => void): AttachHub => {
  const clients = new Set<Client>();
  /** outputs that are LAG behind */
  const full = new Set<Readable>();
  const waiting = new Set<() => void>();
  let open = true;
  let ended = false;
  let looking: NodeJS.Timeout | undefined;

  const regulate = (): void => {
    const pause = open && full.size > 0 && !ended;
    if (pause === (looking !== undefined)) return;
    if (pause) {
      connection.pause();
      looking = setInterval(look, LOOK).unref();
    } else {
      clearInterval(looking);
      looking = undefined;
      connection.resume();
    }
  };
  const look = (): void => {
    ended ||= !target.isAlive();
    regulate();
  };
  const handed = (): boolean =>
    !open && ![...clients].some(({ stdout, stderr }) => isBehind(stdout) || isBehind(stderr));
  const emptied = (): void => {
    if (!open && clients.size === 0) onEmpty();
    if (handed()) for (const tell of waiting) tell();
  };
  const closed = (): void => {
    open = false;
    clearInterval(looking);
    emptied();
  };
  const connection: Connection = connectConmon(target.bundle, {
    record: (stream, data) => {
      for (const client of clients) {
        const to = stream === 'stderr' && client.stderr ? client.stderr : client.stdout;
        if (!to.destroyed && !to.push(data)) full.add(to);
      }
      regulate();
    },
    end: () => {
      for (const client of clients) {
        client.stdout.push(null);
        client.stderr?.push(null);
      }
      closed();
    },
  });

  // conmon closes the container's input when its last client leaves, unless told to keep it open: stay connected then.
  const mayLeave = !target.stdin || target.tty || !target.stdinOnce;
  const leave = (client: Client): void => {
    if (!clients.delete(client)) return;
    client.stdout.destroy();
    client.stderr?.destroy();
    if (clients.size === 0 && mayLeave && open) {
      connection.close();
      closed();
    }
  };

  const output = (): Readable => {
    const stream = new Readable({
      highWaterMark: LAG,
      // Asked for more: below LAG again.
      read: () => {
        if (full.delete(stream)) regulate();
      },
    });
    return stream.on('error', () => {});
  };
  const input = (): Writable =>
    new Writable({
      write: (chunk: Buffer, _, done) => (open ? connection.write(chunk, done) : done()),
      final: (done) => {
        if (target.stdinOnce && !target.tty && open) connection.endInput();
        done();
      },
    }).on('error', () => {});

  return {
    get open() {
      return open;
    },
    join: () => {
      const client: Client = { stdout: output(), stderr: target.tty ? null : output() };
      clients.add(client);
      for (const stream of [client.stdout, client.stderr])
        stream?.on('close', () => {
          full.delete(stream);
          // Both outputs were read to their end, or thrown away: nothing is left to be sent to this client.
          if (client.stdout.destroyed && (client.stderr?.destroyed ?? true)) leave(client);
          regulate();
          emptied();
        });
      return { ...client, stdin: target.stdin ? input() : null, detach: () => leave(client) };
    },
    close: () => {
      if (!open) return;
      connection.close();
      closed();
    },
    handedOver: async () => {
      look();
      if (handed()) return;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(done, PATIENCE);
        function done(): void {
          clearTimeout(timer);
          waiting.delete(done);
          resolve();
        }
        waiting.add(done);
      });
    },
  };
};
