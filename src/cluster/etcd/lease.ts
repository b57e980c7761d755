/**
 * A lease that is kept alive, and another one in time where it cannot be. Invariant: `ended` is told before etcd can have let the lease go,
 * also when etcd says nothing: its time is counted from before the last question that was answered.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { Etcd, LeaseId } from './contract.js';
import { isEtcd } from './failure.js';

/** milliseconds */
const AGAIN_MS = 500;

export interface LeaseSettings {
  readonly etcd: Pick<Etcd, 'grantLease' | 'keepLease'>;
  /** seconds */
  readonly ttl: number;
  /** milliseconds between two renewals */
  readonly everyMs: number;
  readonly signal: AbortSignal;
  /** what the former daemon of this node held: where it lives still, nobody learns that there was another daemon */
  readonly former: LeaseId | undefined;
  /**
   * A lease to hang keys on. Where another one is held it takes that one's place: what hangs on that is to be put again, with this one,
   * before that one has ended. Must not throw.
   */
  readonly granted: (lease: LeaseId) => void;
  /** It has ended, or may have, or the signal ends its keeping: nothing that hangs on it is true any more. Must not throw. */
  readonly ended: (lease: LeaseId) => void;
}

type Lease = Awaited<ReturnType<Etcd['grantLease']>>;

interface Held extends Lease {
  /** until when etcd has it in any case */
  readonly end: number;
}

/** Undefined: etcd has let it go. */
const renew = (etcd: LeaseSettings['etcd'], id: LeaseId): Promise<Lease | undefined> =>
  etcd.keepLease(id).then(
    (ttl) => (ttl > 0 ? { id, ttl } : undefined),
    (error: unknown) => {
      if (isEtcd(error, 'no-lease')) return undefined;
      throw error;
    },
  );

/**
 * One question: the lease with more time, or another one in its place, or as it was where nobody answered; undefined: there is none.
 * For half of its time it is renewed. A renewal does not go through raft: etcd sends it to the address of the member that leads
 * raft, which is the door of a daemon, and that may be dead while its etcd leads on. A new lease, as every write, finds its
 * way without that door. What is not kept any more ends by itself.
 */
const ask = async ({ etcd, ttl }: LeaseSettings, held: Held | undefined): Promise<Held | undefined> => {
  const from = performance.now();
  if (held && from >= held.end) return undefined;
  const half = held ? held.end - held.ttl * 500 : from;
  const renews = held !== undefined && from < half;
  const question = renews ? renew(etcd, held.id) : etcd.grantLease(ttl);
  const answer = question.then((lease) => lease && { ...lease, end: from + lease.ttl * 1_000 });
  const late = held ? [pause((renews ? half : held.end) - from, held, { ref: false })] : [];
  return Promise.race([answer, ...late]).catch(() => held);
};

/** Holds one for as long as the signal lets it. */
export const holdLease = async (settings: LeaseSettings): Promise<void> => {
  const { ttl, everyMs, signal, former, granted, ended } = settings;
  const againMs = Math.min(AGAIN_MS, everyMs);
  const now = (): number => performance.now();
  // Whether it lives is not known yet. Where its daemon died just now it was renewed up to `everyMs` ago.
  let held: Held | undefined =
    former === undefined ? undefined : { id: former, ttl, end: now() + ttl * 1_000 - everyMs };
  let told: Held | undefined;

  /** What hangs on it still when its time is over is lost; it had its time to be put again. */
  const outlive = async ({ id, end }: Held): Promise<void> => {
    await pause(end - now(), undefined, { signal, ref: false }).catch(() => {});
    ended(id);
  };

  while (!signal.aborted) {
    const before = held;
    held = await ask(settings, before);
    if (signal.aborted) break;
    const answered = held !== before;
    if (held && answered) {
      if (held.id !== told?.id) granted(held.id);
      if (told && held.id !== told.id) void outlive(told);
      told = held;
    } else if (!held && told) {
      ended(told.id);
      told = undefined;
    } else if (!held && before) continue; // the former daemon's has ended: nobody was told of it
    const waitMs = held && answered ? everyMs : againMs;
    await pause(Math.min(waitMs, held ? held.end - now() : waitMs), undefined, { signal }).catch(() => {});
  }
  if (told) ended(told.id);
};
