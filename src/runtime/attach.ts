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

const isBehind = (stream: Readable | null): boolean =>
  stream !== null && !stream.destroyed && stream.readableLength > 0;

/** Ends by itself: when the container has ended, or its last client has left and conmon would not take that for the end of input. */
export class AttachHub {
  readonly #clients = new Set<Client>();
  /** outputs that are LAG behind */
  readonly #full = new Set<Readable>();
  readonly #waiting = new Set<() => void>();
  readonly #connection: Connection;
  #open = true;
  #ended = false;
  #looking: NodeJS.Timeout | undefined;

  /** `onEmpty`: neither connection nor clients are left. Throws where conmon is gone. */
  constructor(
    private readonly target: AttachTarget,
    private readonly onEmpty: () => void,
  ) {
    this.#connection = connectConmon(target.bundle, {
      record: (stream, data) => this.#record(stream, data),
      end: () => this.#end(),
    });
  }

  /** False: it holds no connection any more, the next client needs a new one. */
  get open(): boolean {
    return this.#open;
  }

  join(): Streams {
    const client: Client = { stdout: this.#output(), stderr: this.target.tty ? null : this.#output() };
    this.#clients.add(client);
    for (const stream of [client.stdout, client.stderr])
      stream?.on('close', () => this.#settle(client, stream));
    const stdin = this.target.stdin ? this.#input() : null;
    return { ...client, stdin, detach: () => this.#leave(client) };
  }

  close(): void {
    if (!this.#open) return;
    this.#connection.close();
    this.#closed();
  }

  /** Of a container that has ended: resolves when its clients have all it wrote, or take too long over it. */
  async handedOver(): Promise<void> {
    this.#look();
    if (this.#isHandedOver()) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, PATIENCE);
      this.#waiting.add(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  #record(stream: 'stdout' | 'stderr', data: Buffer): void {
    for (const client of this.#clients) {
      const to = stream === 'stderr' && client.stderr ? client.stderr : client.stdout;
      if (!to.destroyed && !to.push(data)) this.#full.add(to);
    }
    this.#regulate();
  }

  #end(): void {
    for (const { stdout, stderr } of this.#clients) {
      stdout.push(null);
      stderr?.push(null);
    }
    this.#closed();
  }

  /** The container waits while a client is behind, and lives. */
  #regulate(): void {
    const pause = this.#open && this.#full.size > 0 && !this.#ended;
    if (pause === (this.#looking !== undefined)) return;
    if (pause) {
      this.#connection.pause();
      this.#looking = setInterval(() => this.#look(), LOOK).unref();
    } else {
      clearInterval(this.#looking);
      this.#looking = undefined;
      this.#connection.resume();
    }
  }

  #look(): void {
    this.#ended ||= !this.target.isAlive();
    this.#regulate();
  }

  #closed(): void {
    this.#open = false;
    clearInterval(this.#looking);
    this.#tell();
  }

  #isHandedOver(): boolean {
    return (
      !this.#open && ![...this.#clients].some(({ stdout, stderr }) => isBehind(stdout) || isBehind(stderr))
    );
  }

  #tell(): void {
    if (!this.#open && this.#clients.size === 0) this.onEmpty();
    if (!this.#isHandedOver()) return;
    for (const tell of this.#waiting) tell();
    this.#waiting.clear();
  }

  #settle(client: Client, stream: Readable): void {
    this.#full.delete(stream);
    // Both outputs were read to their end, or thrown away: nothing is left to be sent to this client.
    if (client.stdout.destroyed && (client.stderr?.destroyed ?? true)) this.#leave(client);
    this.#regulate();
    this.#tell();
  }

  #leave(client: Client): void {
    if (!this.#clients.delete(client)) return;
    client.stdout.destroy();
    client.stderr?.destroy();
    // conmon closes the container's input when its last client leaves, unless told to keep it open: stay connected then.
    const mayLeave = !this.target.stdin || this.target.tty || !this.target.stdinOnce;
    if (this.#clients.size === 0 && mayLeave) this.close();
  }

  #output(): Readable {
    const stream = new Readable({
      highWaterMark: LAG,
      // Asked for more: below LAG again.
      read: () => {
        if (this.#full.delete(stream)) this.#regulate();
      },
    });
    return stream.on('error', () => {});
  }

  #input(): Writable {
    const { stdinOnce, tty } = this.target;
    return new Writable({
      write: (chunk: Buffer, _, done) => (this.#open ? this.#connection.write(chunk, done) : done()),
      final: (done) => {
        if (stdinOnce && !tty && this.#open) this.#connection.endInput();
        done();
      },
    }).on('error', () => {});
  }
}
