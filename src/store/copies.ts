/**
 * Keeps copies of the record in two more directories, with the same files and the same lines. Nobody waits for them: one that fails is old, which is
 * told, until the next generation of the record.
 */
import { closeSync, mkdirSync } from 'node:fs';
import { copyPlace, copySnapshot, isCopyOf, keepOnly } from './place.js';
import { beginTail, openTail, tailPath, writeAt } from './tail-file.js';

export class Copies {
  /** tails of those that have all lines so far */
  readonly #tails = new Map<string, number>();

  constructor(
    private readonly home: string,
    private readonly directories: readonly string[],
    private readonly warn: (message: string) => void,
  ) {}

  /** Each becomes what the home is, to which nobody writes meanwhile. `seq`: of the tail that is gone on in. */
  begin(seq: number): Promise<void> {
    return this.#each(async (directory) => {
      if (!isCopyOf(this.home, directory)) await copyPlace(this.home, directory);
      this.#tails.set(directory, openTail(tailPath(directory, seq)));
    });
  }

  append(bytes: Buffer, at: number): void {
    for (const [directory, fd] of this.#tails)
      try {
        writeAt(fd, bytes, at);
      } catch (error) {
        this.#isOld(directory, error);
        this.#tails.delete(directory); // who lacks a line has no use for the next
        closeSync(fd);
      }
  }

  turn(seq: number): void {
    this.close();
    for (const directory of this.directories)
      try {
        mkdirSync(directory, { recursive: true, mode: 0o700 });
        this.#tails.set(directory, beginTail(tailPath(directory, seq)));
      } catch (error) {
        this.#isOld(directory, error);
      }
  }

  /** The home has this snapshot: nothing that was before is needed. */
  snapshot(seq: number): Promise<void> {
    return this.#each(async (directory) => {
      await copySnapshot(this.home, directory, seq);
      await keepOnly(directory, seq, [seq]);
    });
  }

  close(): void {
    for (const fd of this.#tails.values()) closeSync(fd);
    this.#tails.clear();
  }

  async #each(work: (directory: string) => Promise<void>): Promise<void> {
    for (const directory of this.directories)
      await work(directory).catch((error: unknown) => this.#isOld(directory, error));
  }

  #isOld(directory: string, error: unknown): void {
    this.warn(`the copy of the records in ${directory} is old: ${String(error)}`);
  }
}
