/**
 * Writes to etcd what this manager knows of nodes at first hand: `session/NODE` and `manager/NODE`, which are true as long as its lease
 * lives, and what nodes say of themselves, which stays. Level-triggered: what is wanted is written until it is there, with another lease again, and what is not wanted any more is taken away where it is still ours.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { Etcd, LeaseId } from '../etcd/contract.js';

const AGAIN_MS = 500;

export interface Register {
  /** Wanted: the value of the key, below the prefix; undefined: not wanted any more. Resolves when it is so, or the manager ends. */
  set(key: string, value: string | undefined): Promise<void>;
  /** The same of a key that outlives the lease. */
  keep(key: string, value: string): Promise<void>;
  /** The lease to hang keys on; undefined: there is none, and nothing is written. */
  lease(lease: LeaseId | undefined): void;
}

interface Wanted {
  readonly leased: boolean;
  readonly value: string | undefined;
  /** what was last written for it, if anything */
  readonly former: string | undefined;
}

export const createRegister = (etcd: Pick<Etcd, 'txn'>, prefix: string, signal: AbortSignal): Register => {
  const wanted = new Map<string, Wanted>();
  const dirty = new Set<string>();
  let waiting: { readonly key: string; readonly done: () => void }[] = [];
  let lease: LeaseId | undefined;
  let busy = false;

  const settle = (key: string): void => {
    dirty.delete(key);
    for (const each of waiting) if (each.key === key) each.done();
    waiting = waiting.filter((each) => each.key !== key);
  };

  const write = async (key: string, { value, former, leased }: Wanted, mine: LeaseId): Promise<void> => {
    const whole = prefix + key;
    if (value !== undefined) {
      const success = [{ do: 'put', key: whole, value, ...(leased ? { lease: mine } : {}) }] as const;
      if (value !== former) await etcd.txn({ success });
      // With another lease again, unless the node has found another manager by now.
      else if (!(await etcd.txn({ compare: [{ key: whole, value }], success })).succeeded)
        await etcd.txn({ compare: [{ key: whole, createRevision: 0 }], success });
    }
    // Another manager's session of the same node is not ours to end.
    else if (former !== undefined)
      await etcd.txn({ compare: [{ key: whole, value: former }], success: [{ do: 'delete', key: whole }] });
  };

  const run = async (): Promise<void> => {
    if (busy) return;
    busy = true;
    while (dirty.size > 0 && lease !== undefined && !signal.aborted) {
      const mine = lease;
      const [key] = dirty;
      const want = key === undefined ? undefined : wanted.get(key);
      if (key === undefined || !want) break;
      try {
        await write(key, want, mine);
        const now = wanted.get(key);
        if (now && now !== want) wanted.set(key, { ...now, former: want.value ?? want.former });
        else if (mine === lease) {
          if (want.value === undefined || !want.leased) wanted.delete(key);
          else wanted.set(key, { ...want, former: want.value });
          settle(key);
        }
      } catch {
        // No leader, or no answer: again.
        await pause(AGAIN_MS, undefined, { signal }).catch(() => {});
      }
    }
    busy = false;
  };

  signal.addEventListener(
    'abort',
    () => {
      for (const { done } of waiting) done();
    },
    { once: true },
  );

  const want = (key: string, value: string | undefined, leased: boolean): Promise<void> => {
    const former = wanted.get(key)?.former;
    if (signal.aborted || (value === undefined && !wanted.has(key))) return Promise.resolve();
    wanted.set(key, { value, former, leased });
    dirty.add(key);
    void run();
    return new Promise((done) => waiting.push({ key, done }));
  };

  return {
    set: (key, value) => want(key, value, true),
    keep: (key, value) => want(key, value, false),
    lease(given) {
      lease = given;
      if (given === undefined) return;
      for (const key of wanted.keys()) dirty.add(key);
      void run();
    },
  };
};
