/**
 * The journal: what was committed since the snapshot, in a file beside it (`lines.ts`). The kernel keeps it when the daemon is killed; what
 * must outlive the machine as well is waited for off the main thread, while the kernel's objects are made. The file keeps its
 * length (zeros behind the last line), so the disk has only data to write.
 */
import { closeSync, constants, fdatasync, fsync, openSync } from 'node:fs';
import { promisify } from 'node:util';
import type { Copies } from './copies.js';
import { lineOf, type Point, RESERVE } from './lines.js';
import type { Found } from './place.js';
import { beginTail, layOut, openTail, tailPath, writeAt } from './tail-file.js';
import { Waits } from './waits.js';

const dataOnDisk = promisify(fdatasync);
const allOnDisk = promisify(fsync);

export class Tail {
  readonly #waits: Waits;
  #fd: number;
  /** what the disk must have before it has a line of this file: the directory, and tails that it goes on from */
  #owed: readonly number[];
  #point: Point;
  #length: number;
  #room = 0;

  constructor(
    private readonly home: string,
    { tails, end, point }: Found,
    private readonly copies: Copies,
    warn: (message: string) => void,
  ) {
    this.#waits = new Waits(
      () => this.#sync(),
      (error) => warn(`records wait for the disk: ${String(error)}`),
    );
    this.#point = point;
    this.#length = end;
    const [fd = -1, ...before] = tails.map((seq) => openTail(tailPath(home, seq))).reverse();
    this.#fd = fd;
    this.#owed = [...before, openSync(home, constants.O_RDONLY)];
    this.#grow(RESERVE);
  }

  /** Bytes of its lines. */
  get length(): number {
    return this.#length;
  }

  get point(): Point {
    return this.#point;
  }

  /** Throws what the disk says, and then nothing is changed. */
  append(commit: unknown, durable: boolean): void {
    const { point, bytes } = lineOf(this.#point, JSON.stringify(commit));
    if (this.#length + bytes.length > this.#room) this.#grow(this.#length + bytes.length + RESERVE);
    writeAt(this.#fd, bytes, this.#length);
    this.copies.append(bytes, this.#length);
    this.#length += bytes.length - 1;
    this.#point = point;
    this.#waits.note(durable);
  }

  /** Resolves when every durable commit so far is on the disk; undefined: they are. Rejects where the disk refuses. */
  written(): Promise<void> | undefined {
    return this.#waits.written();
  }

  /** From now on lines go to a new file. Throws where the disk has no room for it, and nothing is changed. */
  turn(): void {
    const { seq } = this.#point;
    const next = beginTail(tailPath(this.home, seq));
    this.#owed = [...this.#owed, this.#fd, openSync(this.home, constants.O_RDONLY)];
    this.#fd = next;
    this.#length = 0;
    this.#room = RESERVE;
    this.copies.turn(seq);
  }

  /** Resolves when the disk has all. */
  async close(): Promise<void> {
    await this.#waits.end();
    for (const fd of [this.#fd, ...this.#owed]) closeSync(fd);
    this.copies.close();
  }

  #grow(room: number): void {
    this.#room = room;
    try {
      layOut(this.#fd, room);
    } catch {
      // A full disk: what is appended says so, when it does not fit.
    }
  }

  /** On other threads. One at a time, so nobody waits for what is closed here. */
  async #sync(): Promise<void> {
    const [fd, owed] = [this.#fd, this.#owed];
    for (const before of owed) await allOnDisk(before);
    this.#owed = this.#owed.filter((before) => !owed.includes(before));
    for (const before of owed) closeSync(before);
    await dataOnDisk(fd);
  }
}
