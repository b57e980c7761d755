/**
 * Has the disk take what was written (`fdatasync`), and tells whoever waits for it. One wait at a time, on another thread, serves all that were written before it began; what nobody
 * waits for has a wait begun for it some time later.
 */

/** Milliseconds after which the disk is asked to have, too, what nobody waits for. */
const SOON_MS = 500;

export class Waits {
  /** writes so far, up to the last that is waited for, and as the disk has them */
  #count = 0;
  #wanted = 0;
  #synced = 0;
  #asking: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** `sync`: resolves when the disk has all that was written before the call. */
  constructor(
    private readonly sync: () => Promise<void>,
    private readonly warn: (error: unknown) => void,
  ) {}

  /** Something was written. */
  note(wanted: boolean): void {
    this.#count += 1;
    if (!wanted) {
      this.#timer ??= setTimeout(() => {
        this.#timer = undefined;
        this.#until(this.#count).catch(this.warn);
      }, SOON_MS).unref();
      return;
    }
    this.#wanted = this.#count;
    // Whoever answers for it awaits it; here the disk only begins.
    this.#until(this.#count).catch(() => {});
  }

  /** Resolves when all that is waited for is on the disk; undefined: it is. Rejects where the disk refuses. */
  written(): Promise<void> | undefined {
    return this.#synced < this.#wanted ? this.#until(this.#wanted) : undefined;
  }

  /** Resolves when all is, and nothing is under way. */
  async end(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#until(this.#count);
  }

  async #until(target: number): Promise<void> {
    while (this.#synced < target) await this.#ask();
  }

  #ask(): Promise<void> {
    const upTo = this.#count;
    this.#asking ??= this.sync()
      .then(() => {
        this.#synced = upTo;
      })
      .finally(() => {
        this.#asking = undefined;
      });
    return this.#asking;
  }
}
