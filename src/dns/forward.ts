/**
 * Questions that others must answer: up to three upstream servers, 4 s each. SERVFAIL and REFUSED move on at once; beside
 * one that is silent the next is asked as well after a moment, so that two dead ones before a good one still leave a
 * client (5 s, resolv.conf(5)) its answer; who was silent is asked last for a while (`silent.ts`).
 * Invariants: every question is answered or forgotten with its sandbox; no sandbox holds more than its share, and
 * however many ask, each sandbox keeps a few places that nobody else can take.
 */
import { RCODE, rcodeOf } from './message.js';
import { createSilent } from './silent.js';
import { askOverTcp, askOverUdp, type Cancel, type Question, type Upstream } from './upstream.js';

/** dockerd's `maxExtDNS`. */
const MAX_UPSTREAMS = 3;
/** Milliseconds of silence after which the next server is asked as well: twice that and an answer are less than 5 s. */
export const PATIENCE = 1500;

export interface ForwardLimits {
  /** questions under way for one sandbox; dockerd's is 1024 */
  readonly perSandbox: number;
  /** questions under way for all; beyond it a sandbox has only its reserve */
  readonly overall: number;
  /** places of each sandbox when all others are taken */
  readonly reserve: number;
}

const DEFAULT_LIMITS: ForwardLimits = { perSandbox: 512, overall: 2048, reserve: 8 };

/** The questions of one sandbox that are under way. */
export interface Share {
  readonly under: Set<Cancel>;
}

export type Over = 'udp' | 'tcp';
/** The upstream's answer as raw bytes under the client's id, or the code to answer with. */
export type Outcome = Buffer | typeof RCODE.SERVFAIL | typeof RCODE.REFUSED;

export interface Forwarder {
  share(): Share;
  /**
   * Calls back once, never before it returns, unless the share is dropped first. `upstreams` is asked anew before each
   * server: what the sandbox may ask can change while its question is under way.
   */
  forward(
    share: Share,
    question: Question,
    over: Over,
    upstreams: () => readonly Upstream[],
    reply: (outcome: Outcome) => void,
  ): void;
  /** Forgets the questions of a sandbox; their clients are gone with it. */
  drop(share: Share): void;
  /** questions under way, of all sandboxes */
  readonly underWay: number;
}

const ask = { udp: askOverUdp, tcp: askOverTcp } as const;

const movesOn = (answer: Buffer | undefined): answer is undefined =>
  answer === undefined || rcodeOf(answer) === RCODE.SERVFAIL || rcodeOf(answer) === RCODE.REFUSED;

export const createForwarder = (limits: ForwardLimits = DEFAULT_LIMITS): Forwarder => {
  let underWay = 0;
  const silent = createSilent();
  const admitted = (share: Share): boolean =>
    share.under.size < (underWay < limits.overall ? limits.perSandbox : limits.reserve);

  const forward: Forwarder['forward'] = (share, question, over, upstreams, reply) => {
    if (!admitted(share)) {
      process.nextTick(reply, RCODE.REFUSED);
      return;
    }
    const asked = new Set<string>();
    const waitingFor = new Set<Cancel>();
    let patience: NodeJS.Timeout | undefined;
    const cancel: Cancel = () => {
      clearTimeout(patience);
      for (const end of waitingFor) end();
      waitingFor.clear();
    };
    const finish = (outcome: Outcome): void => {
      if (!share.under.delete(cancel)) return;
      cancel();
      underWay -= 1;
      reply(outcome);
    };
    /** Asks one server; false: no route, no descriptor, no such namespace, which is as good as silent. */
    const askOne = (upstream: Upstream): boolean => {
      try {
        const end = ask[over](question, upstream, (answer) => {
          waitingFor.delete(end);
          if (answer !== undefined) silent.heard(upstream);
          if (!movesOn(answer)) finish(answer);
          else step();
        });
        waitingFor.add(end);
        clearTimeout(patience);
        patience = setTimeout(() => {
          if (waitingFor.has(end)) silent.note(upstream);
          step();
        }, PATIENCE);
        return true;
      } catch {
        return false;
      }
    };
    const step = (): void => {
      for (const upstream of silent.last(upstreams().slice(0, MAX_UPSTREAMS))) {
        const name = `${upstream.ns} ${upstream.address}`;
        if (asked.has(name)) continue;
        asked.add(name);
        if (askOne(upstream)) return;
      }
      if (waitingFor.size === 0) process.nextTick(finish, RCODE.SERVFAIL);
    };
    share.under.add(cancel);
    underWay += 1;
    step();
  };

  return {
    share: () => ({ under: new Set() }),
    forward,
    drop(share) {
      underWay -= share.under.size;
      for (const cancel of share.under) cancel();
      share.under.clear();
    },
    get underWay() {
      return underWay;
    },
  };
};
