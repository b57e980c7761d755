/**
 * Clients that attach before the container runs: `docker run` attaches first and starts then. They get their streams
 * between the runtime's create and start, so that not a byte is lost.
 */
import type { Streams } from '../../runtime/contract.js';
import { noStreams } from './streams.js';

type Give = (streams: Streams) => void;

export class Attachments {
  readonly #waiting = new Map<string, Set<Give>>();

  /** Streams that begin when the container does. `gone`: the client has left, nobody waits any more. */
  later(id: string, gone: AbortSignal): Promise<Streams> {
    return new Promise((resolve) => {
      const all = this.#waiting.get(id) ?? new Set();
      const leave = (): void => give(noStreams());
      const give: Give = (streams) => {
        all.delete(give);
        if (all.size === 0 && this.#waiting.get(id) === all) this.#waiting.delete(id);
        gone.removeEventListener('abort', leave);
        resolve(streams);
      };
      this.#waiting.set(id, all.add(give));
      if (gone.aborted) leave();
      else gone.addEventListener('abort', leave);
    });
  }

  /** Gives each that waits streams of its own. */
  join(id: string, attach: () => Streams): void {
    for (const give of [...(this.#waiting.get(id) ?? [])]) give(attach());
  }

  /** The container will not start: let the clients go. */
  abandon(id: string): void {
    this.join(id, noStreams);
  }
}
