/**
 * A lease that is kept alive, and another one when it has ended. Invariant: `ended` is told before etcd can have let the lease go, also
 * when etcd says nothing: its time is counted from before the last question that was answered.
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
  /** A lease to hang keys on: the first, and another one each time that the former has ended. Must not throw. */
  readonly granted: (lease: LeaseId) => void;
  /** It has ended, or may have, or the signal ends its keeping: nothing that hangs on it is true any more. Must not throw. */
  readonly ended: () => void;
}

type Lease = Awaited<ReturnType<Etcd['grantLease']>>;

/** Undefined: etcd has let it go. */
const renew = (etcd: LeaseSettings['etcd'], id: LeaseId): Promise<Lease | undefined> =>
  etcd.keepLease(id).then(
    (ttl) => (ttl > 0 ? { id, ttl } : undefined),
    (error: unknown) => {
      if (isEtcd(error, 'no-lease')) return undefined;
      throw error;
    },
  );

/** Resolves when the lease has ended or may have, or the signal says so; `asked`: when it was asked for. */
const keep = async ({ etcd, everyMs, signal }: LeaseSettings, lease: Lease, asked: number): Promise<void> => {
  let end = asked + lease.ttl * 1_000;
  while (performance.now() < end) {
    await pause(Math.min(everyMs, end - performance.now()), undefined, { signal }).catch(() => {});
    if (signal.aborted) return;
    const from = performance.now();
    const late = pause(Math.max(end - from, 0), undefined, { ref: false });
    // What was not answered is asked again until the time is over.
    const kept = await Promise.race([renew(etcd, lease.id).catch(() => lease), late]);
    if (!kept) return;
    if (kept !== lease) end = from + kept.ttl * 1_000;
  }
};

/** Holds one for as long as the signal lets it. */
export const holdLease = async (settings: LeaseSettings): Promise<void> => {
  const { etcd, ttl, signal, granted, ended } = settings;
  let { former } = settings;
  while (!signal.aborted) {
    const asked = performance.now();
    try {
      const again = former === undefined ? undefined : await renew(etcd, former);
      former = undefined;
      const lease = again ?? (await etcd.grantLease(ttl));
      if (signal.aborted) return;
      granted(lease.id);
      await keep(settings, lease, asked);
      ended();
    } catch {
      // No leader of etcd's, or nobody answered: again.
    }
    await pause(AGAIN_MS, undefined, { signal }).catch(() => {});
  }
};
