/**
 * The cluster's controllers: from what is known to what is to be changed, as a function. It has no clock and no ids of its own,
 * does nothing, and leaves the state as it was. The leader carries out what it answers (transactions.ts) and asks again when the
 * state has changed, or at `wake`. With the same `quiet` each time, a pass over a hundred thousand tasks takes milliseconds; a
 * large cluster that is looked at for the first time takes several passes.
 */
import type { Instant } from '../../model/swarm/kept.js';
import { keyOf } from '../../model/swarm/records.js';
import { allocateServices, allocateTasks } from './allocate/index.js';
import { Draft, type Unit } from './draft.js';
import { enforce } from './enforce.js';
import { nodes } from './nodes.js';
import { orchestrate } from './orchestrate/index.js';
import { Quiet } from './quiet.js';
import { reapRest, reapService } from './reap.js';
import { schedule } from './schedule/index.js';
import type { ClusterState } from './state.js';
import { earliest, NEVER } from './times.js';

export interface Pass {
  readonly units: readonly Unit[];
  /** look again then at the latest; infinite: when something changes */
  readonly wake: Instant;
}

/** Tasks that one pass looks at: more are for the next, so that the loop stands for some milliseconds only. */
const MOST_TASKS = 2500;

/** Looks at what does not rest, as far as one pass goes. */
class Round {
  #left = MOST_TASKS;

  constructor(
    readonly draft: Draft,
    readonly quiet: Quiet,
  ) {}

  /** `look` answers when to look again, as does this; `seen`: what it depends on beside the tasks. */
  visit(kind: 'node' | 'service', id: string, seen: string, look: () => Instant): Instant {
    const { draft, quiet } = this;
    const { tasks, revision } = kind === 'node' ? draft.state.tasksOn(id) : draft.state.tasksOf(id);
    const [key, all] = [keyOf(kind, id), `${revision} ${seen}`];
    const resting = quiet.until(key, all, draft.now);
    if (resting !== undefined) return resting;
    if (draft.full || this.#left <= 0) return this.#leave(kind, id);
    this.#left -= tasks.size + 1;
    const edits = draft.edits;
    const wake = look();
    if (draft.edits === edits && !draft.more) quiet.rests(key, all, wake);
    else quiet.wakes(key);
    return wake;
  }

  #leave(kind: 'node' | 'service', id: string): Instant {
    this.draft.postpone();
    if (kind === 'service') this.quiet.services.leftOffAt(id);
    return this.draft.now;
  }
}

const enforceAll = (draft: Draft, round: Round): void => {
  for (const [id, node] of draft.state.all('node')) round.visit('node', id, '', () => enforce(draft, node));
};

/** A service that is gone has no mode, but may have tasks. */
const orchestrateAll = (draft: Draft, quiet: Quiet, round: Round): readonly Instant[] => {
  const { state } = draft;
  const limit = state.get('cluster', '')?.version ?? 0;
  const ids = [...state.serviceBuckets.keys()].sort().map((id) => ({ id }));
  return quiet.services.from(ids).map(({ id }) => {
    const global = state.get('service', id)?.spec.mode.kind.startsWith('global') === true;
    const seen = global ? `${limit} ${state.nodesRevision}` : `${limit}`;
    return round.visit('service', id, seen, () => {
      const service = state.get('service', id);
      const wake = service ? orchestrate(draft, service) : NEVER;
      reapService(draft, id);
      return wake;
    });
  });
};

export const control = (
  state: ClusterState,
  now: Instant,
  newId: () => string,
  quiet: Quiet = new Quiet(),
): Pass => {
  const draft = new Draft(state, now, newId);
  const round = new Round(draft, quiet);
  const alive = nodes(draft);
  enforceAll(draft, round);
  allocateServices(draft);
  const wakes = orchestrateAll(draft, quiet, round);
  allocateTasks(draft);
  schedule(draft, quiet);
  reapRest(draft);
  const units = draft.finish();
  quiet.forget(state);
  return { units, wake: draft.more ? now : earliest([alive, ...wakes]) };
};
