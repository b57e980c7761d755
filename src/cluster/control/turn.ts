/** Whose turn it is: a pass that cannot do all begins, the next time, where it left off, so that nobody waits for ever. */
export class Turn {
  #next: string | undefined;

  leftOffAt(id: string): void {
    this.#next ??= id;
  }

  /** The list, sorted by id as given, beginning with the one at which the last pass left off. */
  from<T extends { readonly id: string }>(list: readonly T[]): readonly T[] {
    const next = this.#next;
    this.#next = undefined;
    if (next === undefined) return list;
    const at = list.findIndex(({ id }) => id >= next);
    return at <= 0 ? list : [...list.slice(at), ...list.slice(0, at)];
  }
}
