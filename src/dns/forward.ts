/**
 * Questions that others must answer: up to three upstream servers in turn, 4 s each; SERVFAIL and REFUSED move on.
 * Invariants: every question is answered or forgotten with its sandbox; no sandbox holds more than its share, and
 * however many ask, each sandbox keeps a few places that nobody else can take.
 */
import { RCODE, rcodeOf } from './message.js';
import { askOverTcp, askOverUdp, type Cancel, type Question, type Upstream } from './upstream.js';

/** dockerd's `maxExtDNS`. */
const MAX_UPSTREAMS = 3;

export interface ForwardLimits {
  /** questions under way for one sandbox; dockerd's is 1024 */
  readonly perSandbox: number;
  /** questions under way for all; beyond it a sandbox has only its reserve */
  readonly overall: number;
  /** places of each sandbox when all others are taken */
  readonly reserve: number;
}

export const DEFAULT_LIMITS: ForwardLimits = { perSandbox: 512, overall: 2048, reserve: 8 };

/** The questions of one sandbox that are under way. */
export interface Share {
  readonly under: Set<Cancel>;
}

export type Over = 'udp' | 'tcp';
/** The upstream's answer as raw bytes under the client's id, or the code to answer with. */
export type Outcome = Buffer | typeof RCODE.SERVFAIL | typeof RCODE.REFUSED;

export interface Forwarder {
  share(): Share;
  /** Calls back once, never before it returns, unless the share is dropped first. */
  forward(
    share: Share,
    question: Question,
    over: Over,
    upstreams: readonly Upstream[],
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
  const admitted = (share: Share): boolean =>
    share.under.size < (underWay < limits.overall ? limits.perSandbox : limits.reserve);

  /** The first of `upstreams` that can be asked at all. `next` gets the ones after it. */
  const start = (
    question: Question,
    over: Over,
    upstreams: readonly Upstream[],
    done: (answer: Buffer | undefined, next: readonly Upstream[]) => void,
  ): Cancel | undefined => {
    for (const [i, upstream] of upstreams.entries()) {
      try {
        return ask[over](question, upstream, (answer) => done(answer, upstreams.slice(i + 1)));
      } catch {
        // no route, no descriptor, no such namespace: as good as silent, so the next one
      }
    }
    return undefined;
  };

  const forward: Forwarder['forward'] = (share, question, over, upstreams, reply) => {
    if (!admitted(share)) {
      process.nextTick(reply, RCODE.REFUSED);
      return;
    }
    let cancelStep: Cancel | undefined;
    const cancel: Cancel = () => cancelStep?.();
    const finish = (outcome: Outcome): void => {
      if (!share.under.delete(cancel)) return;
      underWay -= 1;
      reply(outcome);
    };
    const step = (servers: readonly Upstream[]): void => {
      cancelStep = start(question, over, servers, (answer, next) => {
        if (movesOn(answer)) step(next);
        else finish(answer);
      });
      if (cancelStep === undefined) process.nextTick(finish, RCODE.SERVFAIL);
    };
    share.under.add(cancel);
    underWay += 1;
    step(upstreams.slice(0, MAX_UPSTREAMS));
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
