/**
 * One life-cycle operation per container at a time; later ones queue. Of many containers' each begins a turn of the event loop: a
 * start takes some milliseconds, and twenty that are asked for at once would hold everybody up for their sum.
 */
import { createTurns } from '../pace.js';

export class Locks {
  readonly #turn = createTurns();
  readonly #tails = new Map<string, Promise<unknown>>();

  run<T>(id: string, work: () => Promise<T>): Promise<T> {
    const before = this.#tails.get(id) ?? Promise.resolve();
    const run = before.then(this.#turn, this.#turn).then(work);
    const tail = run.catch(() => undefined);
    this.#tails.set(id, tail);
    void tail.then(() => {
      if (this.#tails.get(id) === tail) this.#tails.delete(id);
    });
    return run;
  }
}
