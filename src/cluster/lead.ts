/**
 * Elects the one manager that runs the controllers. Each manager holds one lease; what is only true while it lives (its sessions, that it is there, that it leads) hangs
 * on that. The leader is whoever holds the key `leader`; every transaction of its controllers compares the revision at which it
 * took it (`fence`), so that a deposed leader's writes fail, whatever it believes.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { Compare, Entry, Etcd, LeaseId } from './etcd/contract.js';

const AGAIN_MS = 500;

/** A comparison of etcd's. */
export interface Fence {
  readonly key: string;
  readonly createRevision: number;
}

/** The key `leader`, as it was put. */
export interface Holder {
  /** whose it is: a node's id */
  readonly node: string;
  /** the revision at which it came to be, from which on it was never anybody else's */
  readonly since: number;
  /** the revision of its last change */
  readonly at: number;
  readonly lease: LeaseId | undefined;
}

export const holderIn = ({ value, createRevision, modRevision, lease }: Entry): Holder => ({
  node: value,
  since: createRevision,
  at: modRevision,
  lease,
});

export interface Office {
  /** Holds in the transactions of whoever leads; undefined: it is not us. */
  fence(): Fence | undefined;
  /** We have a lease, or another one in place of the former. Tries to lead, or to go on leading with that. */
  stand(lease: LeaseId): void;
  /** Who leads by this lease leads no more. */
  ended(lease: LeaseId): void;
  /** It is not to lead again once it leads no more: whether this node is on its way out of the managers. */
  retire(retired: boolean): void;
  /** What the key `leader` is now; undefined: nobody's. Tries to lead then. */
  seen(holder: Holder | undefined): void;
}

export interface OfficeSettings {
  readonly etcd: Pick<Etcd, 'txn'>;
  /** whole, with the prefix */
  readonly key: string;
  /** this node's id */
  readonly node: string;
  /** Told when we begin to lead, and when we do so no more. Must not throw. */
  readonly leads: (leads: boolean) => void;
  readonly signal: AbortSignal;
}

export const runForOffice = ({ etcd, key, node, leads, signal }: OfficeSettings): Office => {
  /** the one to hang the key on */
  let lease: LeaseId | undefined;
  /** that one, and those before it whose time is not over yet */
  const living = new Set<LeaseId>();
  let vacant = false;
  /** the key, while it is ours */
  let own: Holder | undefined;
  let led = false;
  let busy = false;
  let retired = false;

  const inOffice = (): boolean => own?.lease !== undefined && living.has(own.lease);
  const tell = (): void => {
    if (led === inOffice()) return;
    led = !led;
    leads(led);
  };

  /** Under which conditions the key is to be put now: as nobody's, or as ours with another lease; undefined: it is not. */
  const due = (): readonly Compare[] | undefined => {
    if (!own) return vacant && !retired ? [{ key, createRevision: 0 }] : undefined;
    if (own.lease === lease) return undefined;
    // Put again it keeps the revision at which it was made: whoever took it in between is not overwritten, and fences go on to hold.
    return [
      { key, createRevision: own.since },
      { key, value: node },
    ];
  };

  const stand = async (): Promise<void> => {
    const [mine, compare, former] = [lease, due(), own];
    if (busy || !compare || mine === undefined || signal.aborted) return;
    busy = true;
    try {
      const success = [{ do: 'put', key, value: node, lease: mine }] as const;
      const { succeeded, revision } = await etcd.txn({ compare, success });
      if (succeeded) {
        vacant = false;
        own = { node, since: former?.since ?? revision, at: revision, lease: mine };
      } else if (own && own.since === former?.since) own = undefined; // the watch will say whose it is
      tell();
    } catch {
      // No leader of etcd's, or nobody answered: the next try is below.
    } finally {
      busy = false;
    }
    if (!due() || lease === undefined) return;
    await pause(AGAIN_MS, undefined, { signal, ref: false }).catch(() => {});
    void stand();
  };

  return {
    fence: () => (own && inOffice() ? { key, createRevision: own.since } : undefined),
    stand(given) {
      lease = given;
      living.add(given);
      tell();
      void stand();
    },
    ended(given) {
      living.delete(given);
      if (lease === given) lease = undefined;
      tell();
    },
    retire(given) {
      const back = retired && !given;
      retired = given;
      if (back) void stand();
    },
    seen(holder) {
      vacant = holder === undefined;
      // What we put ourselves we know before the watch tells it.
      if (!holder || !own || holder.at > own.at) own = holder?.node === node ? holder : undefined;
      tell();
      void stand();
    },
  };
};
