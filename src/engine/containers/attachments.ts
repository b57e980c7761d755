/**
 * Streams asked for before the container runs: `docker run` attaches first and starts then. They are joined to the
 * container's between the runtime's create and start, so that not a byte is lost.
 */
import { PassThrough } from 'node:stream';
import type { Streams } from '../../runtime/contract.js';

interface Pending {
  readonly join: (streams: Streams) => void;
  readonly abandon: () => void;
}

export class Attachments {
  readonly #pending = new Map<string, Set<Pending>>();

  /** Streams that begin when the container does. */
  later(id: string, tty: boolean): Streams {
    const stdin = new PassThrough();
    const stdout = new PassThrough();
    const stderr = tty ? null : new PassThrough();
    let joined: Streams | undefined;
    const pending: Pending = {
      join(streams) {
        joined = streams;
        if (streams.stdin) stdin.pipe(streams.stdin);
        streams.stdout.pipe(stdout);
        if (stderr) streams.stderr ? streams.stderr.pipe(stderr) : stderr.end();
      },
      abandon() {
        stdout.end();
        stderr?.end();
      },
    };
    const all = this.#pending.get(id) ?? new Set();
    this.#pending.set(id, all.add(pending));
    const detach = (): void => {
      all.delete(pending);
      stdin.unpipe();
      joined?.detach();
      pending.abandon();
    };
    return { stdin, stdout, stderr, detach };
  }

  has = (id: string): boolean => this.#pending.has(id);

  /** Joins all that wait, each to streams of its own. */
  join(id: string, attach: () => Streams): void {
    for (const pending of this.#take(id)) pending.join(attach());
  }

  /** The container will not start: let the clients go. */
  abandon(id: string): void {
    for (const pending of this.#take(id)) pending.abandon();
  }

  #take(id: string): readonly Pending[] {
    const all = [...(this.#pending.get(id) ?? [])];
    this.#pending.delete(id);
    return all;
  }
}
