/**
 * The cluster's controllers: from what is known to what is to be changed, as a function. It has no clock and no ids of its own,
 * does nothing, and leaves the state as it was. The leader carries out what it answers (transactions.ts) and asks again when the
 * state has changed, or at `wake`.
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

/** Runs `look` at what has the key, unless it rests. Answers when to look again. */
const visit = (draft: Draft, quiet: Quiet, key: string, seen: string, look: () => Instant): Instant => {
  const resting = quiet.until(key, seen, draft.now);
  if (resting !== undefined) return resting;
  if (draft.full) return draft.now;
  const edits = draft.edits;
  const wake = look();
  if (draft.edits === edits && !draft.more) quiet.rests(key, seen, wake);
  else quiet.wakes(key);
  return wake;
};

const enforceAll = (draft: Draft, quiet: Quiet): void => {
  const { state } = draft;
  for (const [id, node] of state.all('node'))
    visit(draft, quiet, keyOf('node', id), `${state.tasksOn(id).revision}`, () => {
      enforce(draft, node);
      return NEVER;
    });
};

const services = (draft: Draft, quiet: Quiet): readonly Instant[] => {
  const { state } = draft;
  const limit = state.get('cluster', '')?.version ?? 0;
  return [...state.serviceBuckets.keys()].sort().map((id) => {
    const { revision } = state.tasksOf(id);
    const global = state.get('service', id)?.spec.mode.kind.startsWith('global') === true;
    const seen = `${revision} ${limit} ${global ? state.nodesRevision : ''}`;
    return visit(draft, quiet, keyOf('service', id), seen, () => {
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
  quiet = new Quiet(),
): Pass => {
  const draft = new Draft(state, now, newId);
  const wakes = [nodes(draft)];
  enforceAll(draft, quiet);
  allocateServices(draft);
  wakes.push(...services(draft, quiet));
  allocateTasks(draft);
  schedule(draft, quiet.loads);
  reapRest(draft);
  const units = draft.finish();
  quiet.forget(state);
  return { units, wake: draft.more ? now : earliest(wakes) };
};
