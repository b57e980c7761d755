/**
 * The upkeep of this manager's member of etcd: what is freed in its store is given back, and a store that was full takes writes again as
 * soon as it has room. etcd does neither by itself: its alarm stays until somebody takes it back.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from '../../log.js';
import type { Etcd, EtcdAdmin, EtcdStatus } from '../etcd/contract.js';
import { isEtcd } from '../etcd/failure.js';

/** milliseconds between two looks */
const LOOK_MS = 10_000;
/** Bytes below which nothing is worth a defragmentation, during which the member answers nobody. */
const SMALL = 64 * 1024 * 1024;
/** Of the quota, of which as much must be free again as one transaction may need. */
const [FULL, WARN] = [0.9, 0.8];

export interface UpkeepSettings {
  readonly etcd: Pick<Etcd, 'compact'> & Pick<EtcdAdmin, 'status' | 'defragment' | 'disarm'>;
  /** bytes */
  readonly quota: number;
  readonly leads: () => boolean;
  /** by the leader: what concerns all members */
  readonly tend: () => Promise<void>;
  /** It is this member's turn to be away for a moment: no other one is. */
  readonly turn: () => boolean;
  /** why nothing can be written to the disk; undefined: there is room */
  readonly lacks: () => string | undefined;
  readonly log: Logger;
  readonly signal: AbortSignal;
  readonly every?: number;
}

/**
 * What there is to be done for a member. `done`: the revision at which a full one gave back last: what is freed counts as in use until
 * something is written, which a full one does not take, so its size says nothing. Pure.
 */
export const dueFor = (
  { alarms, size, inUse, revision }: Pick<EtcdStatus, 'alarms' | 'size' | 'inUse' | 'revision'>,
  { quota, turn, done }: { readonly quota: number; readonly turn: boolean; readonly done: number },
): { readonly giveBack: boolean; readonly disarm: boolean } => {
  const full = alarms.includes('no-space');
  return {
    giveBack: full ? revision > done : turn && size > SMALL && inUse < size / 2,
    disarm: full && size < quota * FULL,
  };
};

/** Members are away one after the other, each in a minute of its own; clocks that differ cost no more than an election. */
export const isTurnOf = (id: string, members: readonly string[], now: number): boolean =>
  [...members].sort().indexOf(id) === Math.floor(now / 60_000) % Math.max(members.length, 1);

export const keepUp = (settings: UpkeepSettings): void => {
  const { etcd, quota, leads, tend, turn, lacks, log, signal, every = LOOK_MS } = settings;
  let told = '';
  /** Once, and when it is over. */
  const tell = (text: string): void => {
    if (text !== '' && told === '') log.warn({}, text);
    if (text === '' && told !== '') log.info({}, 'the cluster’s store can be written again');
    told = text;
  };

  /** What was before is forgotten, or nothing would be free. Members that follow have it from the leader. */
  const forget = async (revision: number): Promise<void> => {
    if (!leads()) return;
    await etcd.compact(revision).catch((error: unknown) => {
      if (!isEtcd(error, 'compacted')) throw error;
    });
  };

  let done = 0;
  const look = async (): Promise<void> => {
    const status = await etcd.status();
    // Without a leader it is away long enough already.
    if (status.leader !== undefined && dueFor(status, { quota, done, turn: turn() }).giveBack) {
      if (status.alarms.includes('no-space')) await forget(status.revision);
      await etcd.defragment();
      done = status.revision;
      log.info({}, 'this member’s part of the cluster’s store has given back what was free');
    }
    if (leads()) await tend();
    const after = await etcd.status();
    if (dueFor(after, { quota, done, turn: false }).disarm && leads()) await etcd.disarm();
    const share = Math.round((100 * after.inUse) / quota);
    if (lacks() !== undefined) tell(lacks() ?? '');
    else if (after.inUse > quota * WARN)
      tell(
        `the cluster’s store uses ${share} % of what it may: remove services, secrets, configs and networks that nobody needs`,
      );
    else tell('');
  };

  const run = async (): Promise<void> => {
    while (!signal.aborted) {
      await pause(every, undefined, { signal, ref: false }).catch(() => {});
      if (signal.aborted) return;
      await look().catch((error: unknown) =>
        log.info({ error: String(error) }, 'the upkeep of the store is tried again'),
      );
    }
  };
  void run();
};
