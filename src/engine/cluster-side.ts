/** This host as the store of a cluster sees it, and how what the store says gets into the records. */
import { toldOf } from './attach/ask-cluster.js';
import { decideGatewayNetwork } from './attach/members.js';
import { carryOut } from './carry-out.js';
import { type ClusterSide, isClusterCall } from './cluster.js';
import { fresh } from './fresh.js';
import { decideFollowing } from './networks/follow.js';
import type { Writing } from './parts.js';
import type { View } from './view.js';

export const createClusterSide = (
  parts: View & Pick<Writing, 'ledger' | 'events' | 'debts'>,
): ClusterSide => {
  const { model, seed: id } = parts;
  return {
    id,
    networks: () => model.overlays(),
    peers: () => [...model.tables.peer.records.values()],
    balancers: () => [...model.tables.balancer.records.values()],
    vteps: () => [...model.tables.vtep.records.values()],
    endpoints: () =>
      model.overlays().flatMap(({ id: networkId }) =>
        model
          .endpointsOfNetwork(networkId)
          .filter(({ assigned }) => !assigned)
          .map((endpoint) => ({ networkId, endpoint: toldOf(endpoint) })),
      ),
    isUnderWay: (what) => model.owed.has(what) || model.tables.claim.records.has(what),
    settle() {
      for (const { id: owed, calls } of model.owed.values())
        if (calls.some(isClusterCall)) void parts.debts.settle(owed);
    },
    makeGateway() {
      const decision = decideGatewayNetwork(parts, fresh());
      if (decision.changes.length > 0) carryOut(parts, decision);
    },
    follow(change) {
      const decision = decideFollowing(parts, change);
      if (decision.changes.length > 0) carryOut(parts, decision);
    },
    onRename: (listener) =>
      parts.events.subscribe((event) => {
        if (event.type === 'container' && event.action === 'rename') listener();
      }),
  };
};
