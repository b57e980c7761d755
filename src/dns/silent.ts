/**
 * Upstream servers that were silent a moment ago: they are asked last, so that a dead one costs its wait once and not at
 * every question.
 */
import type { Upstream } from './upstream.js';

/** Milliseconds; then the server is asked in its place again. */
export const REMEMBERED = 30_000;
/** More than a machine's resolv.conf files name; beyond it all is forgotten. */
const MOST = 4096;

export interface Silent {
  note(upstream: Upstream): void;
  /** It said something, if only that it will not answer. */
  heard(upstream: Upstream): void;
  /** In the order given; those that were silent come last, the longest forgotten first. */
  last(upstreams: readonly Upstream[]): readonly Upstream[];
}

/** `now`: milliseconds of a clock that only goes forward. */
export const createSilent = (now: () => number = () => performance.now()): Silent => {
  const since = new Map<string, number>();
  const key = ({ ns, address, port }: Upstream): string => `${ns} ${address} ${port}`;
  const silentSince = (upstream: Upstream): number => {
    const at = since.get(key(upstream));
    return at === undefined || now() - at >= REMEMBERED ? Number.NEGATIVE_INFINITY : at;
  };
  return {
    note(upstream) {
      if (since.size >= MOST) since.clear();
      since.set(key(upstream), now());
    },
    heard: (upstream) => void since.delete(key(upstream)),
    last: (upstreams) =>
      since.size === 0
        ? upstreams
        : upstreams
            .map((upstream) => ({ upstream, at: silentSince(upstream) }))
            .sort((a, b) => (a.at === b.at ? 0 : a.at - b.at))
            .map(({ upstream }) => upstream),
  };
};
