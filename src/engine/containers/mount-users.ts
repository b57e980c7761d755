/**
 * Who uses a mount beside the containers that run: a start whose container has not joined its networks yet, and every copy of
 * files out of a container or into it. Several may use one mount at once, so they are counted.
 */
export class MountUsers {
  readonly #counts = new Map<string, number>();

  has(mount: string): boolean {
    return this.#counts.has(mount);
  }

  /** Answers how its user leaves; leaving twice is leaving once. */
  join(mounts: readonly string[]): () => void {
    for (const mount of mounts) this.#count(mount, 1);
    let there = true;
    return () => {
      if (there) for (const mount of mounts) this.#count(mount, -1);
      there = false;
    };
  }

  #count(mount: string, by: 1 | -1): void {
    const users = (this.#counts.get(mount) ?? 0) + by;
    if (users === 0) this.#counts.delete(mount);
    else this.#counts.set(mount, users);
  }
}
