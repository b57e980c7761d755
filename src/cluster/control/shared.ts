/**
 * What many nodes are told alike, made once for all of them: the nodes of the cluster, and of each network who is on it and which
 * services are balanced there. As long as nothing of it has changed it is the same object, so that comparing it costs nothing.
 */
import { isDeepStrictEqual } from 'node:util';
import { macFromAddress } from '../../ipam/mac.js';
import { bare } from '../../model/address.js';
import { isMadeByNodes } from '../../model/network.js';
import type { SwarmNetwork } from '../../model/swarm/cluster.js';
import type { NetworkAddresses } from '../../model/swarm/endpoint.js';
import type { Service } from '../../model/swarm/service.js';
import { containerNameOf, isAfter, type Task } from '../../model/swarm/task.js';
import { type AssignedItem, itemKey } from '../session/assigned.js';
import { writtenOf } from './draft.js';
import { specOf } from './restart.js';
import { isOver } from './slots.js';
import type { ClusterState } from './state.js';

export type Items = ReadonlyMap<string, AssignedItem>;

type Peer = Extract<AssignedItem, { readonly kind: 'peer' }>;
type Balancer = Extract<AssignedItem, { readonly kind: 'balancer' }>;
type Endpoint = Peer['endpoints'][number];

const byId = (a: { readonly id: string }, b: { readonly id: string }): number => (a.id < b.id ? -1 : 1);

/** Its node knows of it, and has not said that it has ended. */
export const isAtNode = (state: ClusterState, task: Task): boolean =>
  task.nodeId !== '' && !isAfter('assigned', task.status.state) && !isOver(state, task);

const byFamily = ({ addresses }: NetworkAddresses): { readonly ipv4?: string; readonly ipv6?: string } => {
  const ipv4 = addresses.find((address) => !address.includes(':'));
  const ipv6 = addresses.find((address) => address.includes(':'));
  return { ...(ipv4 === undefined ? {} : { ipv4 }), ...(ipv6 === undefined ? {} : { ipv6 }) };
};

const bareOf = (on: NetworkAddresses): { readonly ipv4?: string; readonly ipv6?: string } =>
  byFamily({ ...on, addresses: on.addresses.map(bare) });

const onNetwork = ({ networks }: Pick<Task, 'networks'>, id: string): NetworkAddresses | undefined =>
  networks.find(({ networkId, addresses }) => networkId === id && addresses.length > 0);

/** On the ingress network nobody has a name. */
const taskEndpoint = (
  state: ClusterState,
  { id: networkId, ingress }: SwarmNetwork,
  task: Task,
): Endpoint | undefined => {
  const [on, spec] = [onNetwork(task, networkId), specOf(state, task)];
  const [first] = on?.addresses ?? [];
  if (!on || !spec || first === undefined) return undefined;
  const name = containerNameOf(spec.name, task);
  return {
    id: task.id,
    containerId: task.id,
    containerName: name,
    mac: macFromAddress(bare(first)),
    ...byFamily(on),
    dnsNames: ingress ? [] : [name],
  };
};

/** By node. */
const endpointsOn = (
  state: ClusterState,
  network: SwarmNetwork,
): ReadonlyMap<string, readonly Endpoint[]> => {
  const { tasks, attachments } = state.onNetworks.of(network.id);
  const found = new Map<string, Endpoint[]>();
  const add = (node: string, endpoint: Endpoint): void => {
    const there = found.get(node);
    if (there) there.push(endpoint);
    else found.set(node, [endpoint]);
  };
  for (const task of tasks.values()) {
    const endpoint = isAtNode(state, task) ? taskEndpoint(state, network, task) : undefined;
    if (endpoint) add(task.nodeId, endpoint);
  }
  for (const each of attachments.values()) {
    const { containerId, containerName, mac, dnsNames } = each;
    add(each.nodeId, { id: each.id, containerId, containerName, mac, ...byFamily(each), dnsNames });
  }
  return found;
};

const answers = (state: ClusterState, { nodeId }: Task): boolean =>
  state.get('node', nodeId)?.status.state !== 'down' && !state.failed.has(nodeId);

/** Where all are on nodes that do not answer, it may be that only we do not hear them: then they stay. */
const backendsOf = (state: ClusterState, networkId: string, service: Service): Balancer['backends'] => {
  const running = [...state.tasksOf(service.id).tasks.values()].filter(
    (task) =>
      task.desired === 'running' && state.status(task).state === 'running' && onNetwork(task, networkId),
  );
  const living = running.filter((task) => answers(state, task));
  return (living.length > 0 ? living : running)
    .map((task) => ({
      id: task.id,
      node: task.nodeId,
      ...bareOf(onNetwork(task, networkId) ?? { networkId, addresses: [] }),
    }))
    .sort(byId);
};

/** Tasks that have not ended and take no new connections. */
const leavingOf = (
  state: ClusterState,
  networkId: string,
  service: Service,
  backends: Balancer['backends'],
): readonly string[] => {
  const ids = new Set(backends.map(({ id }) => id));
  return [...state.tasksOf(service.id).tasks.values()]
    .filter((task) => !ids.has(task.id) && isAtNode(state, task) && answers(state, task))
    .filter((task) => state.status(task).state === 'running')
    .flatMap((task) => (onNetwork(task, networkId)?.addresses ?? []).map(bare))
    .sort();
};

const balancerOf = (state: ClusterState, { id, ingress }: SwarmNetwork, service: Service): Balancer => {
  const { spec, endpoint } = service;
  const aliases = spec.task.networks.filter(({ target }) => target === id).flatMap((each) => each.aliases);
  const vip = endpoint?.virtualIps.find(({ networkId }) => networkId === id);
  const published = ingress ? (endpoint?.ports ?? []) : [];
  const ports = published.flatMap(({ mode, protocol, publishedPort, targetPort }) =>
    mode === 'ingress' && publishedPort !== 0 ? [{ protocol, publishedPort, targetPort }] : [],
  );
  const { ipv4, ipv6 } = vip ? bareOf(vip) : {};
  const backends = backendsOf(state, id, service);
  const leaving = leavingOf(state, id, service, backends);
  return {
    kind: 'balancer',
    networkId: id,
    serviceId: service.id,
    names: ingress ? [] : [...new Set([spec.name, ...[...aliases].sort()])],
    ...(ipv4 === undefined ? {} : { vip4: ipv4 }),
    ...(ipv6 === undefined ? {} : { vip6: ipv6 }),
    backends,
    ...(leaving.length > 0 ? { leaving } : {}),
    ports: ports.sort((a, b) =>
      `${a.protocol} ${a.publishedPort}` < `${b.protocol} ${b.publishedPort}` ? -1 : 1,
    ),
  };
};

const networkItems = (state: ClusterState, network: SwarmNetwork): readonly AssignedItem[] => {
  const { id } = network;
  const told = { kind: 'network', ...writtenOf(network) } as unknown as AssignedItem; // the record's own types say more than the codec's
  // Who is on it elsewhere cannot be reached by it.
  if (isMadeByNodes(network.network)) return [told];
  const peers = [...endpointsOn(state, network)].map(
    ([node, endpoints]): Peer => ({
      kind: 'peer',
      networkId: id,
      node,
      endpoints: [...endpoints].sort(byId),
    }),
  );
  const services = [...state.onNetworks.of(id).services.values()];
  return [told, ...peers, ...services.map((service) => balancerOf(state, network, service))];
};

const nodeItems = (state: ClusterState): readonly AssignedItem[] =>
  [...state.all('node').values()].flatMap(({ id, number }): readonly AssignedItem[] => {
    const said = state.get('node-state', id);
    if (!said) return [];
    const { description, dataAddress, tunnel } = said;
    const node = { kind: 'node', id, hostname: description.hostname, number, dataAddress } as const;
    return [tunnel ? { ...node, tunnel } : node];
  });

/** By key, in order; of the former ones those that are equal. The former itself, where all are. */
export const collected = (items: Iterable<AssignedItem>, former?: Items): Items => {
  const keyed = [...items].map((item) => [itemKey(item), item] as const);
  keyed.sort(([a], [b]) => (a < b ? -1 : 1));
  let same = former?.size === keyed.length;
  const made = new Map<string, AssignedItem>();
  for (const [key, item] of keyed) {
    const known = former?.get(key);
    const equal = known !== undefined && isDeepStrictEqual(known, item);
    made.set(key, equal ? known : item);
    same &&= equal;
  }
  return same && former ? former : made;
};

interface Made {
  readonly of: string;
  readonly items: Items;
}

export class Shared {
  readonly #networks = new Map<string, Made>();
  #nodes: Made | undefined;
  /** the items of a network without those of one node, for that node */
  readonly #without = new WeakMap<Items, Map<string, Items>>();

  constructor(private readonly state: ClusterState) {}

  nodes(): Items {
    const { state } = this;
    const of = String(state.nodesRevision);
    if (this.#nodes?.of !== of) this.#nodes = { of, items: collected(nodeItems(state), this.#nodes?.items) };
    return this.#nodes.items;
  }

  /** As the node is told of it, which knows of itself. */
  network(network: SwarmNetwork, nodeId: string): Items {
    const { state } = this;
    const { revision } = state.onNetworks.of(network.id);
    const of = [revision, network.version, state.nodesRevision, ...state.failed].join(' ');
    let made = this.#networks.get(network.id);
    if (made?.of !== of) {
      made = { of, items: collected(networkItems(state, network), made?.items) };
      this.#networks.set(network.id, made);
    }
    return this.#withoutOwn(
      made.items,
      itemKey({ kind: 'peer', networkId: network.id, node: nodeId, endpoints: [] }),
    );
  }

  /** Networks that are no more are forgotten. */
  forget(): void {
    for (const id of this.#networks.keys()) if (!this.state.get('network', id)) this.#networks.delete(id);
  }

  #withoutOwn(items: Items, own: string): Items {
    if (!items.has(own)) return items;
    const known = this.#without.get(items) ?? new Map<string, Items>();
    this.#without.set(items, known);
    const made = known.get(own) ?? new Map([...items].filter(([key]) => key !== own));
    known.set(own, made);
    return made;
  }
}
