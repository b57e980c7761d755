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

export class Waiters {
  readonly #waiting = new Map<string, Waiter[]>();

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
}
