/** Containers that wait to be started again: a timer each, the next delay longer than the last. */
import { restartDelay } from './restart-policy.js';

export class RestartTimers {
  readonly #pending = new Map<string, { delay: number; timer: NodeJS.Timeout }>();

  /** `start`: called for a container whose delay is over. */
  constructor(readonly start: (id: string) => void) {}

  /** After a run of `ranMs` milliseconds. */
  schedule(id: string, ranMs: number): void {
    const delay = restartDelay(this.#pending.get(id)?.delay ?? 0, ranMs);
    const timer = setTimeout(() => this.start(id), delay);
    timer.unref();
    this.#pending.set(id, { delay, timer });
  }

  /** The next delay is the first one again. */
  cancel(id: string): void {
    clearTimeout(this.#pending.get(id)?.timer);
    this.#pending.delete(id);
  }

  close(): void {
    for (const id of [...this.#pending.keys()]) this.cancel(id);
  }
}
