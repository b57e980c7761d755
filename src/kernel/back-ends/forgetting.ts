/**
 * Flows to be forgotten, one kind in each turn of the loop: the kernel walks through its whole table for each (1 ms). What is asked
 * for again while it waits is done once, as it was asked last.
 */
import { ifThere } from '../../errno.js';
import { KernelError } from '../../errors.js';

export class Forgetting {
  readonly #waiting = new Map<string, () => void>();
  #next: NodeJS.Immediate | undefined;

  has(key: string): boolean {
    return this.#waiting.has(key);
  }

  later(key: string, forget: () => void): void {
    this.#waiting.set(key, forget);
    this.#next ??= setImmediate(() => this.#forget());
  }

  never(key: string): void {
    this.#waiting.delete(key);
  }

  close(): void {
    if (this.#next) clearImmediate(this.#next);
  }

  #forget(): void {
    this.#next = undefined;
    const [first] = this.#waiting;
    if (!first) return;
    const [key, forget] = first;
    this.#waiting.delete(key);
    try {
      ifThere(forget);
    } catch (error) {
      // A kernel without ctnetlink keeps its flows.
      if (!(error instanceof KernelError)) throw error;
    }
    if (this.#waiting.size > 0) this.#next = setImmediate(() => this.#forget());
  }
}
