/**
 * A manager's end of one connection with logs of a node: it orders tasks, reads their lines at the pace of whoever wants them, and knows of
 * each how far it came. Invariants: a node is heard only of what was ordered of it; while nobody takes the lines nothing more is read.
 */
import type { Duplex } from 'node:stream';
import { unavailable } from '../../errors.js';
import { bodySplitter, encodeFrame } from '../session/frames.js';
import { HEARTBEAT_MS, type LogOrder } from '../session/protocol.js';
import { decodeRecord, type LineRecord, MOST_RECORD, SILENT_MS } from './records.js';
import { type Place, placeAfter } from './resume.js';

/** A task whose log is wanted. */
export interface Source {
  readonly taskId: string;
  readonly nodeId: string;
  /** lines of what there is already; -1: all */
  readonly tail: number;
  place: Place | undefined;
  /** nothing more is to be had of it */
  ended: boolean;
}

export interface Line extends Pick<LineRecord, 'time' | 'text'> {
  readonly stream: LineRecord['kind'];
  readonly source: Source;
}

export interface BranchSettings {
  readonly nodeId: string;
  readonly wish: Omit<LogOrder, 'type' | 'tasks'>;
  /** Resolves when more is wanted. */
  readonly put: (lines: readonly Line[]) => Promise<void>;
  /** Behind the last line of a task: why there is no more; empty: that was all. */
  readonly ended: (source: Source, reason: string) => void;
}

export interface Branch {
  order(sources: readonly Source[]): void;
  /** Resolves after `close`; throws unavailable where the node breaks it off, or says what it was not asked for. */
  run(): Promise<void>;
  /** Nothing more is wanted. */
  close(): void;
}

interface Heard {
  readonly lines: Line[];
  readonly ends: (readonly [Source, string])[];
}

const BEAT = encodeFrame({ type: 'beat' });

export const createBranch = (socket: Duplex, { nodeId, wish, put, ended }: BranchSettings): Branch => {
  /** by the number that records name them by */
  const sources = new Map<number, Source>();
  let next = 0;
  let closed = false;
  const split = bodySplitter(() => MOST_RECORD);

  const hear = (chunk: Buffer): Heard => {
    const heard: Heard = { lines: [], ends: [] };
    for (const body of split(chunk)) {
      const record = decodeRecord(body);
      if (record.kind === 'beat') continue;
      const source = sources.get(record.task);
      if (!source) throw new Error('it tells of a task that it was not asked for');
      if (record.kind === 'end') {
        sources.delete(record.task);
        heard.ends.push([source, record.reason]);
      } else heard.lines.push({ stream: record.kind, time: record.time, text: record.text, source });
    }
    return heard;
  };

  const handOn = async ({ lines, ends }: Heard): Promise<void> => {
    for (const { source, time } of lines) source.place = placeAfter(source.place, time);
    if (lines.length > 0) await put(lines);
    for (const end of ends) ended(...end);
  };

  const read = async (): Promise<void> => {
    let heard = performance.now();
    let waits = true;
    const beat = setInterval(() => {
      if (waits && performance.now() - heard > SILENT_MS) socket.destroy(new Error('it is silent'));
      else if (!socket.writableNeedDrain && !socket.writableEnded) socket.write(BEAT);
    }, HEARTBEAT_MS);
    try {
      for await (const chunk of socket as AsyncIterable<Buffer>) {
        waits = false;
        await handOn(hear(chunk));
        heard = performance.now();
        waits = true;
      }
      throw new Error('it closed the connection');
    } finally {
      clearInterval(beat);
      socket.destroy();
    }
  };

  return {
    order(wanted) {
      const tasks: LogOrder['tasks'] = [];
      for (const source of wanted) {
        const number = next++;
        sources.set(number, source);
        const { taskId, tail, place } = source;
        tasks.push({ id: taskId, number, tail, ...(place ? { after: place } : {}) });
      }
      if (!socket.destroyed) socket.write(encodeFrame({ type: 'logs', ...wish, tasks }));
    },
    run: () =>
      read().catch((cause: unknown) => {
        if (!closed) throw unavailable(`node ${nodeId} disconnected unexpectedly`, cause);
      }),
    close() {
      closed = true;
      socket.destroy();
    },
  };
};
