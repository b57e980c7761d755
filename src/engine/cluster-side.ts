/** This host as the store of a cluster sees it, and how what the store says gets into the records. */
import { bare } from '../model/address.js';
import { publishes } from '../model/balancer.js';
import type { Endpoint } from '../model/endpoint.js';
import type { NetworkId } from '../model/ids.js';
import { isMadeByNodes, type Network } from '../model/network.js';
import { peerId, type RemoteEndpoint } from '../model/peer.js';
import { toldOf } from './attach/ask-cluster.js';
import { decideGatewayNetwork } from './attach/members.js';
import { carryOut } from './carry-out.js';
import { type ClusterSide, isClusterCall, type Way } from './cluster.js';
import { fresh } from './fresh.js';
import { decideCreation } from './networks/decide.js';
import { decideFollowing } from './networks/follow.js';
import { designOfNode } from './networks/of-nodes.js';
import type { Writing } from './parts.js';
import type { View } from './view.js';

type Records = Pick<View, 'model'>;

const isOfCluster = (network: Network): boolean => network.overlay !== undefined || isMadeByNodes(network);

/** Its addresses are no business of other nodes where the node has given them itself. */
const toldOn = (network: Network, endpoint: Endpoint): RemoteEndpoint => {
  const { ipv4: _4, ipv6: _6, ...known } = toldOf(endpoint);
  return isMadeByNodes(network) ? known : toldOf(endpoint);
};

/** Of whoever asks for it. */
const OWN_NETNS = '/proc/self/ns/net';

/** Where a packet to a container on the network may come from: one of its containers here, on the ingress network this host itself. */
const askerOn = ({ model }: Records, { id, ingress, ipv4 }: Network) => {
  if (ingress) return model.balancersOf(id).some(publishes) ? { netns: OWN_NETNS, ipv4 } : undefined;
  for (const endpoint of model.endpointsOfNetwork(id)) {
    const sandbox = model.sandboxOf(endpoint);
    if (sandbox?.mode === 'private') return { netns: sandbox.netns, ipv4: endpoint.ipv4 !== undefined };
  }
  return undefined;
};

/** A container of the host on the network that is there: a task, whose container goes by its id, is when it takes calls. */
const answererOn = ({ model }: Records, { id }: Network, host: string): RemoteEndpoint | undefined => {
  const running = new Set(model.balancersOf(id).flatMap(({ backends }) => backends.map((each) => each.id)));
  return model.tables.peer.records
    .get(peerId(id, host))
    ?.endpoints.find((endpoint) => String(endpoint.containerId) !== endpoint.id || running.has(endpoint.id));
};

/** How packets get to a container of the host, on the first network that has one of both; undefined: none has. */
export const wayTo = (records: Records, host: string): Way | undefined => {
  const { model } = records;
  const vtep = model.tables.vtep.records.get(host);
  for (const network of vtep ? model.overlays() : []) {
    const { name, overlay } = network;
    const remote = answererOn(records, network, host);
    const asker = askerOn(records, network);
    const to = asker?.ipv4 ? remote?.ipv4 : remote?.ipv6;
    if (!vtep || !overlay || !asker || to === undefined) continue;
    const { netns } = asker;
    const { address, tunnel } = vtep;
    const sealed = overlay.encrypted && tunnel ? { tunnelPort: tunnel.port, key: tunnel.key } : {};
    const { mtu, port } = overlay;
    return { hostName: vtep.name, network: name, address, mtu, port, ...sealed, netns, to: bare(to) };
  }
  return undefined;
};

export const createClusterSide = (
  parts: View & Pick<Writing, 'ledger' | 'events' | 'debts'>,
): ClusterSide => {
  const { model, facts, seed: id } = parts;
  return {
    id,
    networks: () => [...model.networks.values()].filter(isOfCluster),
    peers: () => [...model.tables.peer.records.values()],
    balancers: () => [...model.tables.balancer.records.values()],
    vteps: () => model.vteps(),
    routes: () => [
      ...facts.subnets().cidrs(),
      ...[...model.networks.values()].flatMap(({ overlay, pools }) =>
        overlay ? [] : pools.map(({ subnet }) => subnet),
      ),
    ],
    endpoints: () =>
      [...model.networks.values()].filter(isOfCluster).flatMap((network) =>
        model
          .endpointsOfNetwork(network.id)
          .filter(({ assigned }) => !assigned)
          .map((endpoint) => ({ networkId: network.id, endpoint: toldOn(network, endpoint) })),
      ),
    makeOwn(wish) {
      if (model.networks.has(wish.id)) return;
      carryOut(parts, decideCreation(parts, designOfNode(parts, wish)));
    },
    wayTo: (host) => wayTo(parts, host),
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
      const { changes, events } = decideFollowing(parts, change);
      if (changes.length > 0) parts.ledger.accept(changes);
      for (const event of events) parts.events.publish(event);
    },
    onChange: (listener) =>
      parts.events.subscribe(({ type, action, actor }) => {
        if (type === 'container' && action === 'rename') listener();
        const network = type === 'network' ? model.networks.get(actor.id as NetworkId) : undefined; // what has the id is looked up
        if (network && isMadeByNodes(network)) listener();
      }),
  };
};
