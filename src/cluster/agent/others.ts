/** Networks, peers, services and hosts among what a node is told, as records of this host: from items that changed to records that do. Pure. */

import type { ClusterChange, ClusterSide } from '../../engine/cluster.js';
import { parseAddress, parsePrefix } from '../../model/address.js';
import type { Balancer } from '../../model/balancer.js';
import type { NetworkId } from '../../model/ids.js';
import { isMadeByNodes, type Network } from '../../model/network.js';
import { type Peer, peerId, type RemoteEndpoint, type Vtep } from '../../model/peer.js';
import { givable } from '../../model/pool.js';
import type { Tunnel } from '../../model/tunnel.js';
import type { AssignedItem } from '../session/assigned.js';

export type Items = ReadonlyMap<string, AssignedItem>;

/** What this node knows of the others. */
export interface Seen {
  readonly items: Items;
  /** its own id */
  readonly self: string;
  /** its own, as it is and not as it is told */
  readonly tunnel: Tunnel;
  /** ids of nodes that do not answer, as Serf says: also while no manager does */
  readonly failed: ReadonlySet<string>;
}

const item = <K extends AssignedItem['kind']>(items: Items, kind: K, id: string) => {
  const found = items.get(`${kind}/${id}`);
  return found?.kind === kind ? (found as Extract<AssignedItem, { readonly kind: K }>) : undefined; // the kind was looked at
};

const [MOST_VNI, MOST_PORT, MOST_NUMBER] = [2 ** 24 - 1, 65_535, 65_535];
const within = (value: unknown, least: number, most: number): boolean =>
  Number.isInteger(value) && Number(value) >= least && Number(value) <= most;

/** A manager is believed, and yet nothing that is none gets into the records. */
const isNetwork = ({ driver, scope, overlay, pools }: Network): boolean =>
  driver === 'overlay' &&
  scope === 'swarm' &&
  overlay !== undefined &&
  within(overlay.vni, 1, MOST_VNI) &&
  within(overlay.port, 1, MOST_PORT) &&
  within(overlay.mtu, 68, MOST_PORT) &&
  pools.length > 0 &&
  pools.every(
    ({ subnet, gateway }) =>
      parsePrefix(subnet) !== undefined && (gateway === undefined || parseAddress(gateway) !== undefined),
  );

const networkOf = (items: Items, id: string): Network | null => {
  const network = item(items, 'network', id)?.network as Network | undefined; // the codec has checked its fields
  return network && isNetwork(network) ? network : null;
};

/** One that this node makes for itself when a container needs it: until then there is nothing of it here. */
export const ownOf = (items: Items, id: string): Network | undefined => {
  const network = item(items, 'network', id)?.network as Network | undefined; // the codec has checked its fields
  return network && isMadeByNodes(network) ? network : undefined;
};

const vtepOf = (seen: Pick<Seen, 'items' | 'self' | 'tunnel'>, id: string): Vtep | null => {
  const node = item(seen.items, 'node', id);
  if (!node || !parseAddress(node.dataAddress)) return null;
  const { hostname: name, dataAddress: address, number } = node;
  const own = id === seen.self;
  const tunnel = own ? seen.tunnel : node.tunnel;
  return {
    ...{ id, name, address, own, ...(tunnel ? { tunnel } : {}) },
    ...(within(number, 1, MOST_NUMBER) ? { number } : {}),
  };
};

/** A sentence where this node has no number: it comes with the first manager that leads, and without it there is no routing mesh here. */
export const lacksNumber = (items: Items, self: string): readonly string[] =>
  within(item(items, 'node', self)?.number, 1, MOST_NUMBER)
    ? []
    : [
        'this node has no number in the swarm yet: it answers on no port that services publish on all nodes. A manager gives it one as soon as one leads (docker node ls); a swarm has 65535 of them, and docker node rm frees those of nodes that are gone',
      ];

const peerOf = (seen: Seen, id: string): Peer | null => {
  const { items } = seen;
  const [networkId = '', node = ''] = id.split('/');
  const network = networkOf(items, networkId);
  const vtep = vtepOf(seen, node);
  const told = item(items, 'peer', id);
  if (!network || !vtep || vtep.own || !told) return null;
  const said = told.endpoints as readonly unknown[] as readonly RemoteEndpoint[]; // the brands are the cluster's to give
  const fits = givable(network);
  const endpoints = said.filter(({ ipv4, ipv6 }) => fits(ipv4, ipv6));
  if (endpoints.length === 0) return null;
  const { address, tunnel } = vtep;
  return { id, networkId: network.id, node, address, ...(tunnel ? { key: tunnel.key } : {}), endpoints };
};

/** Where all are on nodes that do not answer, it may be that only we do not hear them: then they stay. */
const balancerOf = ({ items, failed }: Seen, id: string): Balancer | null => {
  const network = networkOf(items, id.split('/')[0] ?? '');
  const told = item(items, 'balancer', id);
  if (!network || !told) return null;
  const fits = givable(network);
  if (!fits(told.vip4, told.vip6)) return null;
  const { kind: _, ...balancer } = told;
  const backends = told.backends.filter(({ ipv4, ipv6 }) => fits(ipv4, ipv6));
  const living = backends.filter(({ node }) => !failed.has(node));
  const ports = told.ports.filter(
    ({ publishedPort, targetPort }) =>
      within(publishedPort, 1, MOST_PORT) && within(targetPort, 1, MOST_PORT),
  );
  return { ...balancer, id, networkId: network.id, ports, backends: living.length > 0 ? living : backends };
};

interface Touched {
  readonly networks: Set<string>;
  readonly peers: Set<string>;
  readonly balancers: Set<string>;
  readonly vteps: Set<string>;
}

const changeOf = (seen: Seen, { networks, peers, balancers, vteps }: Touched): ClusterChange => ({
  networks: new Map(
    [...networks].flatMap((id) =>
      ownOf(seen.items, id) ? [] : [[id as NetworkId, networkOf(seen.items, id)] as const],
    ),
  ),
  peers: new Map([...peers].map((id) => [id, peerOf(seen, id)])),
  balancers: new Map([...balancers].map((id) => [id, balancerOf(seen, id)])),
  vteps: new Map([...vteps].map((id) => [id, vtepOf(seen, id)])),
});

const idsOf = (items: Items, kind: AssignedItem['kind']): readonly string[] =>
  [...items.keys()].filter((key) => key.startsWith(`${kind}/`)).map((key) => key.slice(kind.length + 1));

/** What becomes of this host's records where items with these keys have changed. */
export const changed = (seen: Seen, keys: Iterable<string>): ClusterChange => {
  const { items } = seen;
  const touched: Touched = { networks: new Set(), peers: new Set(), balancers: new Set(), vteps: new Set() };
  for (const key of keys) {
    const slash = key.indexOf('/');
    const id = key.slice(slash + 1);
    const kind = key.slice(0, slash);
    if (kind === 'network') touched.networks.add(id);
    if (kind === 'peer') touched.peers.add(id);
    if (kind === 'balancer') touched.balancers.add(id);
    if (kind === 'node') touched.vteps.add(id);
  }
  // A balancer belongs to its network. An endpoint is judged by its network's subnets, and a host is reached at its address.
  if (touched.networks.size > 0)
    for (const id of idsOf(items, 'balancer'))
      if (touched.networks.has(id.split('/')[0] ?? '')) touched.balancers.add(id);
  if (touched.networks.size + touched.vteps.size > 0)
    for (const id of idsOf(items, 'peer')) {
      const [networkId = '', node = ''] = id.split('/');
      if (touched.networks.has(networkId) || touched.vteps.has(node)) touched.peers.add(id);
    }
  return changeOf(seen, touched);
};

/** What becomes of them where other nodes answer than before. */
export const answering = (seen: Seen): ClusterChange =>
  changeOf(seen, {
    ...{ networks: new Set<string>(), peers: new Set<string>(), vteps: new Set<string>() },
    balancers: new Set(idsOf(seen.items, 'balancer')),
  });

type Known = Pick<ClusterSide, 'networks' | 'peers' | 'balancers' | 'vteps'>;

/** All there is, and an end of what this host knows and is not told of. */
export const whole = (seen: Seen, known: Known): ClusterChange => {
  const { items } = seen;
  return changeOf(seen, {
    networks: new Set([...idsOf(items, 'network'), ...known.networks().map(({ id }) => id)]),
    peers: new Set([
      ...idsOf(items, 'peer'),
      ...known.peers().map(({ networkId, node }) => peerId(networkId, node)),
    ]),
    balancers: new Set([...idsOf(items, 'balancer'), ...known.balancers().map(({ id }) => id)]),
    vteps: new Set([...idsOf(items, 'node'), ...known.vteps().map(({ id }) => id)]),
  });
};
