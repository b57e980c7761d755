/** Containers that wait to be started again: a timer each, the next delay longer than the last. */
import { restartDelay } from './restart-policy.js';

export class RestartTimers {
  readonly #pending = new Map<string, { delay: number; timer: NodeJS.Timeout }>();

  /** Calls `start` when the delay for a run of `ranMs` milliseconds is over. */
  schedule(id: string, ranMs: number, start: () => void): void {
    const delay = restartDelay(this.#pending.get(id)?.delay ?? 0, ranMs);
    const timer = setTimeout(start, delay);
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
