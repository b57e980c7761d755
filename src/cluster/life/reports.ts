/**
 * What nodes say of their tasks becomes `task-status/ID`. A node is believed about its own tasks alone, as long as its session is
 * this manager's, and never when it goes back. Invariant: of each task the newest report is kept until it is written, refused, or
 * the session is over; one transaction a node is under way at a time.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { unwritten } from '../../model/swarm/kept.js';
import { isAfter, type TaskReport } from '../../model/swarm/task.js';
import { writtenOf } from '../control/draft.js';
import type { Compare, Etcd, Operation } from '../etcd/contract.js';
import type { Mirror } from '../mirror/index.js';
import { keyOf } from '../mirror/keys.js';
import { put } from '../mirror/write.js';
import type { FromNode } from '../session/protocol.js';
import type { Epochs } from './epochs.js';

type Said = Extract<FromNode, { readonly type: 'report' }>['tasks'][number];

/** Of one transaction: two comparisons each, and that of the session, of etcd's 128. */
const MOST_TASKS = 60;
const AGAIN_MS = 500;
/** how long reports wait for the mirror to know of their tasks */
const REACH_MS = 5_000;
/** characters of what a node says in words */
const LONGEST_TEXT = 1_000;
const MOST_PORTS = 1_000;
/** tasks of one node whose reports wait */
const MOST_WAITING = 10_000;

export interface Reports {
  /** The latest of each task. */
  take(nodeId: string, said: readonly Said[]): void;
  /** The session is over. */
  forget(nodeId: string): void;
}

export interface ReportsSettings {
  readonly mirror: Pick<Mirror, 'state' | 'prefix' | 'reached'>;
  readonly etcd: Pick<Etcd, 'txn' | 'range'>;
  readonly epochs: Pick<Epochs, 'text'>;
  readonly now: () => number;
  readonly signal: AbortSignal;
}

interface Waiting {
  readonly newest: Map<string, Said>;
  busy: boolean;
}

const short = (text: string): string => text.slice(0, LONGEST_TEXT);

/** What it knew before stays known: a later report need not say again when the task was first seen running. */
const recorded = (said: Said, known: TaskReport | undefined, now: number): TaskReport => ({
  ...unwritten(now),
  ...(known?.runningAt === undefined ? {} : { runningAt: known.runningAt }),
  ...(known?.container ? { container: known.container } : {}),
  ...said,
  message: short(said.message),
  err: short(said.err),
  ...(said.ports ? { ports: said.ports.slice(0, MOST_PORTS) } : {}),
});

export const createReports = ({ mirror, etcd, epochs, now, signal }: ReportsSettings): Reports => {
  const { state, prefix } = mirror;
  const waiting = new Map<string, Waiting>();

  /** undefined: not the node's to say, or nothing new. */
  const record = (nodeId: string, said: Said): TaskReport | undefined => {
    const task = state.get('task', said.id);
    if (task?.nodeId !== nodeId) return undefined;
    const known = state.get('task-status', said.id);
    if (known && isAfter(known.state, said.state)) return undefined;
    const report = recorded(said, known, now());
    return known && isDeepStrictEqual(writtenOf(known), writtenOf(report)) ? undefined : report;
  };

  const compared = ({ id }: TaskReport): readonly Compare[] => {
    const key = prefix + keyOf('task-status', id);
    const known = state.get('task-status', id);
    const task = state.get('task', id);
    return [
      // It has been the node's since it was given to one, and always will be.
      { key: prefix + keyOf('task', id), createRevision: task?.created ?? 0 },
      known ? { key, modRevision: known.version } : { key, createRevision: 0 },
    ];
  };

  /** A view from before the task was made cannot say whose it is. */
  const catchUp = async (batch: readonly Said[]): Promise<void> => {
    const unknown = batch.find(({ id }) => !state.get('task', id));
    if (!unknown) return;
    const { revision } = await etcd.range({ key: prefix + keyOf('task', unknown.id), keysOnly: true });
    await mirror.reached(revision, REACH_MS);
  };

  /** True: nothing of the batch has to be looked at again. */
  const write = async (nodeId: string, value: string, batch: readonly Said[]): Promise<boolean> => {
    await catchUp(batch);
    const records = batch.flatMap((said) => record(nodeId, said) ?? []);
    if (records.length === 0) return true;
    const { succeeded, revision } = await etcd.txn({
      compare: [{ key: prefix + keyOf('session', nodeId), value }, ...records.flatMap(compared)],
      success: records.map((each): Operation => put(prefix, 'task-status', each)),
    });
    await mirror.reached(revision, REACH_MS);
    return succeeded;
  };

  const run = async (nodeId: string, mine: Waiting): Promise<void> => {
    mine.busy = true;
    while (mine.newest.size > 0 && waiting.get(nodeId) === mine && !signal.aborted) {
      const batch = [...mine.newest.values()].slice(0, MOST_TASKS);
      const value = epochs.text(nodeId);
      if (value === undefined) break;
      // No leader, no answer, or somebody else was quicker: again.
      const done = await write(nodeId, value, batch).catch(() => false);
      if (done) {
        for (const said of batch) if (mine.newest.get(said.id) === said) mine.newest.delete(said.id);
      } else await pause(AGAIN_MS, undefined, { signal }).catch(() => {});
    }
    mine.busy = false;
  };

  return {
    take(nodeId, said) {
      const mine = waiting.get(nodeId) ?? { newest: new Map(), busy: false };
      waiting.set(nodeId, mine);
      for (const each of said) {
        const before = mine.newest.get(each.id);
        if (before ? !isAfter(before.state, each.state) : mine.newest.size < MOST_WAITING)
          mine.newest.set(each.id, each);
      }
      if (!mine.busy) void run(nodeId, mine);
    },
    forget: (nodeId) => void waiting.delete(nodeId),
  };
};
