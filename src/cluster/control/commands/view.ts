/** What commands of the API are decided by. What they answer is one unit: all of it is carried out, or nothing. */
import type { Instant } from '../../../model/swarm/kept.js';
import { rpcError } from '../../rpc.js';
import { Draft, type Edit, type Unit } from '../draft.js';
import type { ClusterState } from '../state.js';

export interface CommandView {
  readonly state: ClusterState;
  readonly now: Instant;
  readonly newId: () => string;
}

/** Throws where it is more than one transaction can hold. */
export const unitOf = ({ state, now, newId }: CommandView, edits: readonly Edit[]): Unit => {
  const draft = new Draft(state, now, newId);
  const fits = draft.unit(...edits);
  const units = draft.finish();
  if (!fits) throw rpcError('InvalidArgument', 'that is more than can be changed at once');
  return units.flat();
};
