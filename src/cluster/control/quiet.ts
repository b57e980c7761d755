/**
 * What a pass remembers of those before it: services and nodes that were found at rest, so that it need not look at them again
 * before something of theirs changes or their time comes. It is what a pass would find out anyway: without it the same is
 * decided, more slowly.
 */
import type { Instant } from '../../model/swarm/kept.js';
import { Loads } from './schedule/load.js';
import type { ClusterState } from './state.js';
import { Turn } from './turn.js';

interface Rest {
  readonly seen: string;
  readonly until: Instant;
}

export class Quiet {
  readonly #resting = new Map<string, Rest>();
  readonly loads = new Loads();
  /** of services, and of groups of tasks that wait for a node */
  readonly services = new Turn();
  readonly groups = new Turn();

  /** Until when what has the key rests, if `seen` is as it was then; undefined: it is to be looked at. */
  until(key: string, seen: string, now: Instant): Instant | undefined {
    const rest = this.#resting.get(key);
    return rest?.seen === seen && now < rest.until ? rest.until : undefined;
  }

  rests(key: string, seen: string, until: Instant): void {
    this.#resting.set(key, { seen, until });
  }

  wakes(key: string): void {
    this.#resting.delete(key);
  }

  /** Those that are gone are forgotten. */
  forget(state: ClusterState): void {
    for (const key of this.#resting.keys()) if (!state.has(key)) this.#resting.delete(key);
    this.loads.forget(state);
  }
}
