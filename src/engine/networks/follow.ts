/** What other hosts of a cluster did, as changes of this host's records. Pure. */
import { isDeepStrictEqual } from 'node:util';
import { type Balancer, inPlaces } from '../../model/balancer.js';
import type { NetworkId } from '../../model/ids.js';
import type { Network } from '../../model/network.js';
import type { ClusterChange } from '../cluster.js';
import { type Change, drop, put } from '../commit/tables.js';
import { type Decision, type Told, toldOfNetwork } from '../decision.js';
import type { View } from '../view.js';

type Records = Pick<View, 'model'>;

/** A network that containers of this host are on stays until they have left: its removal elsewhere was refused, or forced. */
const networkChange = (
  { model }: Records,
  id: NetworkId,
  after: Network | null,
): { readonly changes: readonly Change[]; readonly events: readonly Told[] } => {
  const before = model.networks.get(id);
  if (after === null)
    return before && model.endpointsOfNetwork(id).length === 0
      ? {
          changes: [
            drop('network', id),
            ...model.peersOf(id).map((peer) => drop('peer', peer.id)),
            ...model.balancersOf(id).map((balancer) => drop('balancer', balancer.id)),
          ],
          events: [toldOfNetwork(before, 'destroy')],
        }
      : { changes: [], events: [] };
  if (isDeepStrictEqual(before, after)) return { changes: [], events: [] };
  return { changes: [put('network', after)], events: before ? [] : [toldOfNetwork(after, 'create')] };
};

const recordChanges = <T extends 'peer' | 'vtep' | 'balancer'>(
  { model }: Records,
  table: T,
  after: ClusterChange[`${T}s`],
): readonly Change[] =>
  [...after].flatMap(([id, value]) => {
    const before = model.tables[table].records.get(id);
    if (value === null) return before ? [drop(table, id)] : [];
    return isDeepStrictEqual(before, value) ? [] : [put(table, value as never)]; // of the table's own type
  });

/** As it is told, but with each backend in the place that it has here. */
const placed = ({ model }: Records, balancer: Balancer): Balancer => {
  const before = model.tables.balancer.records.get(balancer.id);
  return { ...balancer, backends: inPlaces(before?.backends ?? [], balancer.backends) };
};

/** Networks come before what is on them, and go behind it. */
export const decideFollowing = (
  view: Records,
  { networks, peers, balancers, vteps }: ClusterChange,
): Decision => {
  const each = [...networks].map(([id, after]) => networkChange(view, id, after));
  return {
    changes: [
      ...recordChanges(view, 'vtep', vteps),
      ...each.flatMap(({ changes }) => changes),
      ...recordChanges(view, 'peer', peers),
      ...recordChanges(
        view,
        'balancer',
        new Map([...balancers].map(([id, value]) => [id, value && placed(view, value)])),
      ),
    ],
    events: each.flatMap(({ events }) => events),
  };
};
