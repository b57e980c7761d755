/** Many small pieces in few writes, at the pace of whoever reads. */
import { setImmediate as nextTurn } from 'node:timers/promises';

/** Bytes of one write, and of one turn of the event loop. */
const BATCH = 64 * 1024;

export interface Batches {
  /** Resolves when more can be taken; after each full batch everybody else has had a turn, however fast the reader is. */
  write(piece: Uint8Array): Promise<void>;
  /** Resolves when all is on its way. */
  end(): Promise<void>;
}

/** Pieces of one turn of the event loop go out together. `send` resolves when more can be taken; it must not reject. */
export const createBatches = (send: (batch: Uint8Array) => Promise<void>): Batches => {
  let waiting: Uint8Array[] = [];
  let length = 0;
  let timer: NodeJS.Immediate | undefined;
  let sending: Promise<void> = Promise.resolve();
  const flush = (): void => {
    clearImmediate(timer);
    timer = undefined;
    const batch = Buffer.concat(waiting);
    waiting = [];
    length = 0;
    if (batch.length > 0) sending = send(batch);
  };
  return {
    async write(piece) {
      waiting.push(piece);
      length += piece.length;
      timer ??= setImmediate(flush);
      const full = length >= BATCH;
      if (full) flush();
      await sending;
      if (full) await nextTurn();
    },
    async end() {
      flush();
      await sending;
    },
  };
};
