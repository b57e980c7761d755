/**
 * What only the leader does: runs the controllers on what its mirror says and writes what they decide, fenced; and takes managers
 * that are none any more out of etcd; and completes the replacement of an authority. Invariant: one pass at a time, and the next one sees what came of it.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from '../../log.js';
import { control } from '../control/index.js';
import { Quiet } from '../control/quiet.js';
import { transactions } from '../control/transactions.js';
import type { Etcd, EtcdAdmin } from '../etcd/contract.js';
import { isEtcd } from '../etcd/failure.js';
import { newId } from '../ids.js';
import type { Fence } from '../lead.js';
import type { Mirror } from '../mirror/index.js';
import { MEMBER } from '../mirror/keys.js';
import type { Store } from './store.js';

/** milliseconds between passes: changes that come together are decided together, one that comes alone at once */
const DEBOUNCE_MS = 50;
/** behind a pass that was refused, or could not be written */
const AGAIN_MS = 1_000;
const LONGEST_WAIT_MS = 60_000;
/** of one that was demoted: it hands etcd's leadership over as soon as it knows */
const HANDING_MS = 2_000;

export interface LeadSettings {
  readonly mirror: Mirror;
  readonly etcd: Pick<Etcd, 'txn'> & Pick<EtcdAdmin, 'removeMember' | 'members' | 'status'>;
  readonly store: Store;
  readonly nodeId: string;
  readonly now: () => number;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** holds while we lead; undefined: we do not */
  readonly fence: () => Fence | undefined;
  /** by `now`: nothing is decided before */
  readonly from: number;
  /** an authority takes another's place: the step that is due, if any */
  readonly succession: (leader: Fence) => Promise<void>;
}

export interface Leading {
  /** Something is otherwise than it was. */
  changed(): void;
}

/** Managers with a vote that are not to have one. */
const formerManagers = ({ members, state }: Mirror): readonly string[] =>
  [...members.keys()].filter((id) => state.get('node', id)?.role !== 'manager');

/** Of those who would be left, more than half must live. */
export const mayGo = ({ members, living }: Pick<Mirror, 'members' | 'living'>, id: string): boolean => {
  const others = [...members.keys()].filter((each) => each !== id);
  return others.filter((each) => living.has(each)).length > others.length / 2;
};

export const lead = (settings: LeadSettings): Leading => {
  const { mirror, etcd, store, now, log, signal } = settings;
  let running = false;
  let again = false;
  let ended = Number.NEGATIVE_INFINITY;
  let next: { readonly timer: NodeJS.Timeout; readonly at: number } | undefined;
  const quiet = new Quiet();

  /** Unless it is sooner anyway: whoever always has news puts nothing off. */
  const wakeIn = (asked: number): void => {
    const present = performance.now();
    const ms = Math.min(Math.max(asked, ended + DEBOUNCE_MS - present, 0), LONGEST_WAIT_MS);
    const at = present + ms;
    if (signal.aborted || (next && next.at <= at)) return;
    clearTimeout(next?.timer);
    const timer = setTimeout(() => {
      next = undefined;
      void run();
    }, ms);
    next = { timer, at };
  };
  signal.addEventListener('abort', () => clearTimeout(next?.timer), { once: true });

  /** Answers when to look again, or undefined where what was decided could not be written. */
  const decide = async (leader: Fence): Promise<number | undefined> => {
    const { units, wake } = control(mirror.state, now(), newId, quiet);
    const fence = { prefix: mirror.prefix, leader, turn: mirror.state.get('turn', '') };
    for (const transaction of transactions(units, fence)) {
      const { succeeded, revision } = await etcd.txn(transaction);
      if (!succeeded) return undefined;
      await mirror.reached(revision);
    }
    return wake;
  };

  /** Who was demoted or removed; the leader itself lets another one lead first, who takes it out. */
  const dismiss = async (leader: Fence): Promise<void> => {
    for (const id of formerManagers(mirror)) {
      const member = mirror.members.get(id);
      if (!member || !mayGo(mirror, id)) continue;
      if (id === settings.nodeId) {
        await store.commit({ compare: [leader], success: [{ do: 'delete', key: leader.key }] });
        return;
      }
      // Taken out before, the others would have no leader for as long as an election takes.
      for (let waited = 0; waited < HANDING_MS; waited += DEBOUNCE_MS) {
        if ((await etcd.status()).leader !== member.member) break;
        await pause(DEBOUNCE_MS, undefined, { signal });
      }
      await etcd.removeMember(member.member).catch((error: unknown) => {
        if (isEtcd(error, 'no-member')) return; // a former leader was as far
        log.warn({ node: id, error: String(error) }, 'a former manager could not be taken out of etcd yet');
        throw error;
      });
      await store.commit({
        compare: [leader],
        success: [{ do: 'delete', key: `${mirror.prefix}${MEMBER}${id}` }],
      });
      log.info({ node: id }, 'a former manager was taken out of etcd');
    }
  };

  const pass = async (): Promise<number> => {
    const leader = settings.fence();
    if (!leader) return LONGEST_WAIT_MS;
    if (now() < settings.from) return settings.from - now();
    const wake = await decide(leader);
    if (wake === undefined) return AGAIN_MS;
    await dismiss(leader);
    await settings.succession(leader);
    return wake - now();
  };

  const run = async (): Promise<void> => {
    if (running) {
      again = true;
      return;
    }
    running = true;
    let wait = AGAIN_MS;
    try {
      wait = await pass();
    } catch (error) {
      log.debug({ error: String(error) }, 'what was decided could not be written: again');
    }
    running = false;
    ended = performance.now();
    wakeIn(again ? DEBOUNCE_MS : wait);
    again = false;
  };

  return {
    changed() {
      if (running) again = true;
      else if (settings.fence()) wakeIn(0);
    },
  };
};
