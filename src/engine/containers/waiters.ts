/** Who waits for a container to stop, to stop the next time, or to be removed. */

export interface Outcome {
  readonly exitCode: number;
  readonly error: string;
}

type Condition = 'next-exit' | 'removed';

interface Waiter {
  readonly condition: Condition;
  readonly resolve: (outcome: Outcome) => void;
}

/** How long and of how many containers the end is remembered after they removed themselves. */
const REMEMBERED_MS = 30_000;
const MOST_REMEMBERED = 256;

export class Waiters {
  readonly #waiting = new Map<string, Waiter[]>();
  readonly #ended = new Map<string, { readonly outcome: Outcome; readonly at: number }>();

  /** Registered when called, so that nothing between the call and its await is missed. */
  wait(id: string, condition: Condition): Promise<Outcome> {
    return new Promise((resolve) => {
      const list = this.#waiting.get(id) ?? [];
      list.push({ condition, resolve });
      this.#waiting.set(id, list);
    });
  }

  /** The container stopped: those who wait for its removal stay, unless it is gone. */
  tell(id: string, happened: Condition, outcome: Outcome): void {
    const list = this.#waiting.get(id) ?? [];
    const stay = happened === 'removed' ? [] : list.filter((w) => w.condition === 'removed');
    if (stay.length > 0) this.#waiting.set(id, stay);
    else this.#waiting.delete(id);
    for (const waiter of list) if (!stay.includes(waiter)) waiter.resolve(outcome);
  }

  /** A container removed itself at its exit: a client that asks only now how it ended is still told. */
  remember(id: string, outcome: Outcome): void {
    for (const [oldest] of this.#ended) {
      if (this.#ended.size < MOST_REMEMBERED) break;
      this.#ended.delete(oldest);
    }
    this.#ended.set(id, { outcome, at: performance.now() });
  }

  /** By full id; undefined where that is too long ago or never was. */
  ended(id: string): Outcome | undefined {
    const found = this.#ended.get(id);
    return found && performance.now() - found.at < REMEMBERED_MS ? found.outcome : undefined;
  }
}
