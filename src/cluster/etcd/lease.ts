/**
 * A lease that is kept alive. Invariant: `lost` is aborted before etcd can have let the lease go, also when etcd says nothing:
 * its time is counted from before the last keep-alive that was answered.
 */
import type { Etcd, LeaseId } from './contract.js';
import { isEtcd } from './failure.js';

export interface HeldLease {
  readonly id: LeaseId;
  /** its keys are gone, or may be */
  readonly lost: AbortSignal;
  /** Gives it up: its keys go at once, where etcd answers. */
  close(): Promise<void>;
}

type Leases = Pick<Etcd, 'grantLease' | 'keepLease' | 'revokeLease'>;

/** `ttl`: seconds; renewed each `everyMs`. Throws EtcdError where there is none to be had. */
export const holdLease = async (etcd: Leases, ttl: number, everyMs: number): Promise<HeldLease> => {
  const lost = new AbortController();
  let asked = performance.now();
  const lease = await etcd.grantLease(ttl);
  const lifeMs = lease.ttl * 1000;
  let end = setTimeout(() => lose(), asked + lifeMs - performance.now());
  let next: NodeJS.Timeout | undefined;

  const lose = (): void => {
    clearTimeout(end);
    clearTimeout(next);
    lost.abort();
  };
  const renew = async (): Promise<void> => {
    asked = performance.now();
    try {
      await etcd.keepLease(lease.id);
      if (lost.signal.aborted) return;
      clearTimeout(end);
      end = setTimeout(lose, asked + lifeMs - performance.now());
    } catch (error) {
      if (isEtcd(error, 'no-lease')) return lose();
    }
    // What was not answered is asked again until the time is over.
    if (!lost.signal.aborted) next = setTimeout(() => void renew(), everyMs);
  };
  next = setTimeout(() => void renew(), everyMs);

  return {
    id: lease.id,
    lost: lost.signal,
    close: async () => {
      lose();
      await etcd.revokeLease(lease.id).catch(() => {}); // it ends by itself
    },
  };
};
