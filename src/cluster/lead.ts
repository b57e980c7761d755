/**
 * Elects the one manager that runs the controllers. Each manager holds one lease; what is only true while it lives (its sessions, that it is there, that it leads) hangs
 * on that. The leader is whoever holds the key `leader`; every transaction of its controllers compares the revision at which it
 * took it (`fence`), so that a deposed leader's writes fail, whatever it believes.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { Etcd, LeaseId } from './etcd/contract.js';

const AGAIN_MS = 500;

/** A comparison of etcd's. */
export interface Fence {
  readonly key: string;
  readonly createRevision: number;
}

export interface Office {
  /** Holds in the transactions of whoever leads; undefined: it is not us. */
  fence(): Fence | undefined;
  /** We have a lease; undefined: none. Tries to lead. */
  stand(lease: LeaseId | undefined): void;
  /** It is not to lead again once it leads no more: whether this node is on its way out of the managers. */
  retire(retired: boolean): void;
  /** The key `leader` has changed: whose it is (a node's id), and since which revision; undefined: nobody's. Tries to lead then. */
  seen(holder: { readonly node: string; readonly since: number } | undefined): void;
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
  let lease: LeaseId | undefined;
  let vacant = false;
  let since: number | undefined;
  let standing = false;
  let retired = false;

  const become = (revision: number | undefined): void => {
    if (since === revision) return;
    const [was, is] = [since !== undefined, revision !== undefined];
    since = revision;
    if (was !== is) leads(is);
  };

  const stand = async (): Promise<void> => {
    const mine = lease;
    if (standing || retired || !vacant || mine === undefined || signal.aborted) return;
    standing = true;
    try {
      const { succeeded, revision } = await etcd.txn({
        compare: [{ key, createRevision: 0 }],
        success: [{ do: 'put', key, value: node, lease: mine }],
      });
      if (succeeded && mine === lease) {
        vacant = false;
        become(revision);
      }
    } catch {
      // No leader of etcd's, or nobody answered: the next try is below.
    } finally {
      standing = false;
    }
    if (!vacant || lease === undefined) return;
    await pause(AGAIN_MS, undefined, { signal, ref: false }).catch(() => {});
    void stand();
  };

  return {
    fence: () => (since === undefined ? undefined : { key, createRevision: since }),
    stand(given) {
      lease = given;
      if (given === undefined) become(undefined);
      else void stand();
    },
    retire(given) {
      const back = retired && !given;
      retired = given;
      if (back) void stand();
    },
    seen(holder) {
      vacant = holder === undefined;
      // What we took ourselves we know before the watch tells it.
      if (holder?.node !== node || (since !== undefined && holder.since > since)) become(undefined);
      if (holder?.node === node && lease !== undefined) become(holder.since);
      void stand();
    },
  };
};
