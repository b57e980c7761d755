/**
 * A set of integers as sorted, disjoint, non-touching runs. A full /8 is one run, so size never matters; membership and
 * "the lowest integer not in the set" are binary searches.
 */

export class Runs {
  readonly #first: bigint[] = [];
  readonly #last: bigint[] = [];

  /** Index of the run that starts highest at or below `value`; -1: none. */
  #below(value: bigint): number {
    let low = 0;
    let high = this.#first.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#first[middle] ?? 0n) <= value) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  has(value: bigint): boolean {
    const end = this.#last[this.#below(value)];
    return end !== undefined && value <= end;
  }

  /** False: it was there already. */
  add(value: bigint): boolean {
    if (this.has(value)) return false;
    const left = this.#below(value);
    const touchesLeft = this.#last[left] === value - 1n;
    const touchesRight = this.#first[left + 1] === value + 1n;
    if (touchesLeft && touchesRight) {
      this.#last[left] = this.#last[left + 1] ?? value;
      this.#drop(left + 1);
    } else if (touchesLeft) this.#last[left] = value;
    else if (touchesRight) this.#first[left + 1] = value;
    else {
      this.#first.splice(left + 1, 0, value);
      this.#last.splice(left + 1, 0, value);
    }
    return true;
  }

  /** False: it was not there. */
  remove(value: bigint): boolean {
    if (!this.has(value)) return false;
    const at = this.#below(value);
    const start = this.#first[at] ?? value;
    const end = this.#last[at] ?? value;
    if (start === end) this.#drop(at);
    else if (value === start) this.#first[at] = value + 1n;
    else if (value === end) this.#last[at] = value - 1n;
    else {
      this.#last[at] = value - 1n;
      this.#first.splice(at + 1, 0, value + 1n);
      this.#last.splice(at + 1, 0, end);
    }
    return true;
  }

  /** The lowest integer of `from … to` (inclusive) that is not in the set. */
  firstFree(from: bigint, to: bigint): bigint | undefined {
    const end = this.#last[this.#below(from)];
    const candidate = end !== undefined && end >= from ? end + 1n : from;
    return candidate <= to ? candidate : undefined;
  }

  /** How many integers of `from … to` (inclusive) are in the set. */
  count(from: bigint, to: bigint): bigint {
    let sum = 0n;
    for (let at = Math.max(this.#below(from), 0); at < this.#first.length; at += 1) {
      const [first = 0n, end = 0n] = [this.#first[at], this.#last[at]];
      if (first > to) break;
      const [low, high] = [first > from ? first : from, end < to ? end : to];
      if (low <= high) sum += high - low + 1n;
    }
    return sum;
  }

  #drop(at: number): void {
    this.#first.splice(at, 1);
    this.#last.splice(at, 1);
  }
}
