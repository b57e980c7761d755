/**
 * A node's half of service logs. Told by its manager's session to bring some, it opens a connection to the manager that wants them and writes
 * there what that one orders. Invariants: nothing is read ahead of a connection that does not take it; a manager that is silent is
 * gone; only this node's own tasks are read.
 */
import { setMaxListeners } from 'node:events';
import { createBatches } from '../../batches.js';
import { messageOf } from '../../errors.js';
import type { Logger } from '../../log.js';
import { type Connection, type Credentials, connect } from '../session/connect.js';
import { type Answer, type FromManager, HEARTBEAT_MS, type LogOrder } from '../session/protocol.js';
import { encodeRecord, SILENT_MS } from './records.js';
import { type TaskLogSettings, taskLog } from './task-log.js';

/** Connections, and tasks that are read on all of them, at one time. */
const MOST_STREAMS = 200;
const MOST_READERS = 2_000;

export interface BringSettings extends TaskLogSettings {
  readonly credentials: () => Credentials;
  /** Where this node reaches a manager. */
  readonly placeOf: (manager: Bring['manager']) => string;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

type Bring = Answer<'bring'>;

const BEAT = encodeRecord({ kind: 'beat' });

export const createBringer = (settings: BringSettings): ((message: Bring) => void) => {
  const { log, signal } = settings;
  const streams = new Set<string>();
  let readers = 0;

  const read = async (
    order: LogOrder,
    task: LogOrder['tasks'][number],
    write: (record: Uint8Array) => Promise<void>,
    over: AbortSignal,
  ): Promise<void> => {
    const end = (reason: string): Promise<void> =>
      write(encodeRecord({ kind: 'end', task: task.number, reason }));
    if (readers >= MOST_READERS) return end(`this node reads ${MOST_READERS} logs already`);
    readers += 1;
    try {
      for await (const line of taskLog(settings, order, task, over)) {
        await write(encodeRecord(line));
        if (over.aborted) return;
      }
      await end('');
    } catch (error) {
      await end(messageOf(error));
    } finally {
      readers -= 1;
    }
  };

  const bring = async ({ stream, manager }: Bring): Promise<void> => {
    const ended = new AbortController();
    const over = AbortSignal.any([ended.signal, signal]);
    setMaxListeners(0, over); // each task that is read has some
    let heard = performance.now();
    const told = (message: FromManager): void => {
      heard = performance.now();
      if (message.type !== 'logs') return;
      for (const task of message.tasks) void read(message, task, out.write, over);
    };
    const connection: Connection = await connect(settings.placeOf(manager), settings.credentials(), {
      told,
      closed: () => ended.abort(),
    });
    const out = createBatches(connection.flow);
    let beating = false;
    const beat = setInterval(() => {
      if (performance.now() - heard > SILENT_MS) connection.close();
      // One at a time: while the manager does not read none of them comes through.
      if (beating) return;
      beating = true;
      void out.write(BEAT).finally(() => {
        beating = false;
      });
    }, HEARTBEAT_MS);
    const leave = (): void => {
      clearInterval(beat);
      connection.close();
    };
    over.addEventListener('abort', leave, { once: true });
    try {
      await connection.ask({ type: 'stream', stream }, 'done');
      if (!over.aborted)
        await new Promise<void>((resolve) => over.addEventListener('abort', () => resolve()));
    } finally {
      leave();
    }
  };

  return (message) => {
    if (streams.size >= MOST_STREAMS || streams.has(message.stream)) {
      log.warn({ manager: message.manager.id }, 'logs are not brought: too many are being read already');
      return;
    }
    streams.add(message.stream);
    void bring(message)
      .catch((error: unknown) =>
        log.debug({ manager: message.manager.id, error: messageOf(error) }, 'logs could not be brought'),
      )
      .finally(() => streams.delete(message.stream));
  };
};
