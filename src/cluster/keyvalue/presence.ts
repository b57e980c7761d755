/** Says in the store that this daemon is there, by a key that goes when nobody says so for a while. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Etcd, LeaseId } from '../etcd/contract.js';
import { isEtcd } from '../etcd/failure.js';

export interface PresenceParts {
  readonly etcd: Pick<Etcd, 'put' | 'grantLease' | 'keepLease' | 'revokeLease'>;
  readonly key: string;
  readonly value: string;
  /** seconds */
  readonly heartbeat: number;
  readonly ttl: number;
}

const RETRY_MS = 2_000;
/** A store that is away keeps no daemon from ending: the lease ends by itself. */
const GOODBYE_MS = 1_000;

export interface Presence {
  close(): Promise<void>;
}

export const keepPresence = ({ etcd, key, value, heartbeat, ttl }: PresenceParts): Presence => {
  const ended = new AbortController();
  let lease: LeaseId | undefined;

  const begin = async (): Promise<void> => {
    const { id } = await etcd.grantLease(ttl);
    await etcd.put(key, value, id);
    lease = id;
  };

  const beat = async (): Promise<number> => {
    try {
      if (lease === undefined) await begin();
      else await etcd.keepLease(lease);
      return heartbeat * 1_000;
    } catch (error) {
      if (isEtcd(error, 'no-lease')) lease = undefined;
      return RETRY_MS;
    }
  };

  const run = async (): Promise<void> => {
    while (!ended.signal.aborted) {
      const rest = await beat();
      await pause(rest, undefined, { signal: ended.signal, ref: false }).catch(() => {});
    }
  };
  void run();

  return {
    async close() {
      ended.abort();
      if (lease === undefined) return;
      const goodbye = etcd.revokeLease(lease).catch(() => {});
      await Promise.race([goodbye, pause(GOODBYE_MS, undefined, { ref: false })]);
    },
  };
};
