/** Networks of a cluster: subnets and a VXLAN number are chosen and taken in the transaction that makes the record. */

import { attempt, ViaductError } from '../../../errors.js';
import { formatPrefix, masked, prefixOf } from '../../../ipam/address.js';
import { resolvePools } from '../../../ipam/pools.js';
import { Subnets } from '../../../ipam/subnets.js';
import type { Network, Overlay, Pool } from '../../../model/network.js';
import { shownPool } from '../../../model/pool.js';
import type { SubnetList, SwarmNetwork } from '../../../model/swarm/cluster.js';
import { unwritten } from '../../../model/swarm/kept.js';
import type { NodeState } from '../../../model/swarm/node.js';
import { keyOf } from '../../../model/swarm/records.js';
import type { Service } from '../../../model/swarm/service.js';
import { rpcError } from '../../rpc.js';
import { networksOf } from '../allocate/services.js';
import type { Edit, Unit } from '../draft.js';
import type { ClusterState } from '../state.js';
import { checkName } from './validate.js';
import { type CommandView, unitOf } from './view.js';

/** Nodes that a warning names. */
const MOST_NAMED = 3;
/** As swarmkit's: lower ones are for people who number by hand. */
const [FIRST_VNI, LAST_VNI] = [4096, 0xffffff];

export interface NetworkWish {
  /** without what is decided here: id, pools */
  readonly network: Omit<Network, 'id' | 'pools' | 'createdAt' | 'scope' | 'overlay' | 'ingress'>;
  readonly ingress: boolean;
  /** one of the VXLAN numbers, if any is named, and what all hosts agree on; absent: each node makes the network for itself */
  readonly overlay?: Omit<Overlay, 'vni'> & { readonly vnis: readonly number[] };
}

const chooseVni = (state: ClusterState, wanted: readonly number[]): number => {
  const free = wanted.find((each) => !state.get('vni', String(each)));
  if (free !== undefined) return free;
  if (wanted.length > 0)
    throw rpcError('InvalidArgument', `VXLAN number ${wanted.join(', ')} is in use by another network`);
  let vni = FIRST_VNI;
  while (state.get('vni', String(vni))) vni += 1;
  if (vni > LAST_VNI) throw rpcError('Internal', 'all VXLAN numbers are in use');
  return vni;
};

const poolsFor = ({ state }: CommandView, id: string, { network }: NetworkWish) => {
  const cluster = state.get('cluster', '');
  const defaults = (cluster?.addressPools ?? []).map((base) => ({
    base: formatPrefix(masked(prefixOf(base))),
    size: cluster?.subnetSize ?? 24,
  }));
  const { ipv4, ipv6, ipam } = network;
  const beside = (hostRoutes: Subnets): readonly Pool[] =>
    resolvePools(
      { ipv4, ipv6, config: ipam.config },
      {
        networkId: id,
        defaultPools: defaults,
        taken: state.taken.subnets,
        hostRoutes: () => hostRoutes,
        seed: cluster?.id ?? '',
      },
    );
  try {
    // Nodes that route all of the pools (10.0.0.0/8 by a VPN) leave nothing to choose: then there is a network, and a warning.
    return attempt(() => beside(state.routes)) ?? beside(new Subnets());
  } catch (error) {
    if (error instanceof ViaductError) throw rpcError('InvalidArgument', error.message, error);
    throw error;
  }
};

/** What the user is told of subnets that a node routes elsewhere; empty: none does. */
const routedWarning = (state: ClusterState, name: string, pools: readonly Pool[]): string => {
  const routed = pools.filter(({ subnet }) => state.routes.overlaps(subnet));
  if (routed.length === 0) return '';
  const isRouting = ({ routes }: NodeState): boolean => {
    const own = new Subnets(routes);
    return routed.some(({ subnet }) => own.overlaps(subnet));
  };
  const nodes = [...state.all('node-state').values()].filter(isRouting);
  const names = nodes.slice(0, MOST_NAMED).map(({ description }) => description.hostname);
  const more = nodes.length > names.length ? ` and ${nodes.length - names.length} more` : '';
  return `${routed.map(({ subnet }) => subnet).join(' and ')} of network ${name} overlaps with a route of node ${names.join(', ')}${more}: its containers there do not reach what that route leads to; name another subnet (--subnet), or other pools when the swarm is made (--default-addr-pool)`;
};

const checkNew = (state: ClusterState, { network, ingress }: NetworkWish): void => {
  if (state.get('name', `network/${network.name}`))
    throw rpcError('AlreadyExists', `network ${network.name} already exists`);
  for (const other of ingress ? state.all('network').values() : [])
    if (other.ingress) throw rpcError('AlreadyExists', `ingress network (${other.id}) is already present`);
  if (ingress && network.attachable)
    throw rpcError('InvalidArgument', 'ingress network cannot be attachable');
  if (ingress && network.internal)
    throw rpcError(
      'InvalidArgument',
      'ingress network cannot be internal: by it clients outside reach services',
    );
};

/** The list with a network's subnets, or without them. */
const listed = (
  { state, now }: CommandView,
  change: (taken: SubnetList['taken']) => SubnetList['taken'],
): Edit => {
  const list: SubnetList = state.get('subnets', '') ?? { ...unwritten(now), id: '', taken: [] };
  return ['subnets', { ...list, taken: change(list.taken) }];
};

/** What of a network that spans the nodes the cluster decides for all of them. */
const spanning = (
  view: CommandView,
  id: string,
  wish: NetworkWish,
  { vnis, ...agreed }: NonNullable<NetworkWish['overlay']>,
) => {
  const pools = poolsFor(view, id, wish);
  const vni = chooseVni(view.state, vnis);
  return { pools, vni, overlay: { ...agreed, vni } };
};

export const createNetwork = (
  view: CommandView,
  wish: NetworkWish,
): {
  readonly id: Network['id'];
  readonly network: Network;
  readonly unit: Unit;
  /** of the subnets that it has; empty: none */
  readonly warning: string;
} => {
  const { state, now, newId } = view;
  checkName(wish.network.name);
  checkNew(state, wish);
  const id = newId();
  const span = wish.overlay && spanning(view, id, wish, wish.overlay);
  const { pools, vni } = span ?? { pools: [], vni: 0 };
  const network: SwarmNetwork = {
    ...unwritten(now),
    id,
    network: {
      ...wish.network,
      id: id as Network['id'], // the brand is given here
      scope: 'swarm',
      createdAt: new Date(now).toISOString().replace(/Z$/, '000000Z'),
      pools,
      ...(span
        ? { ipam: { ...wish.network.ipam, config: pools.map(shownPool) }, overlay: span.overlay }
        : {}),
      ...(wish.ingress ? { ingress: true } : {}),
    },
    ingress: wish.ingress,
    vni,
    updatedAt: now,
  };
  const owner = keyOf('network', id);
  const edits: Edit[] = [
    ['network', network],
    ['name', { ...unwritten(now), id: `network/${wish.network.name}`, owner }],
    ...(span
      ? [
          listed(view, (taken) => [...taken, ...pools.map(({ subnet }) => ({ networkId: id, subnet }))]),
          ['vni', { ...unwritten(now), id: String(vni), owner }] as const,
        ]
      : []),
  ];
  return {
    id: network.network.id,
    network: network.network,
    unit: unitOf(view, edits),
    warning: routedWarning(state, wish.network.name, pools),
  };
};

/** Who needs the network, so that it must stay. */
const userOf = (state: ClusterState, id: string): string | undefined => {
  const { services, tasks, attachments } = state.onNetworks.of(id);
  for (const service of services.keys()) return `service ${service}`;
  for (const task of tasks.keys()) if (state.owned(keyOf('task', task)).length > 0) return `task ${task}`;
  for (const attachment of attachments.keys()) return `task ${attachment}`;
  return undefined;
};

const needs = (state: ClusterState, { spec }: Service, id: string): boolean => {
  const networks = networksOf(state, spec.task, spec.endpoint);
  return typeof networks === 'string' || networks.some((network) => network.id === id);
};

/** No service is to be on it any more, and only what is left of former ones is: tasks that end, addresses that are given back. */
export const isBeingLeft = (state: ClusterState, id: string): boolean => {
  const { services, tasks, attachments } = state.onNetworks.of(id);
  if (attachments.size > 0 || [...services.values()].some((service) => needs(state, service, id)))
    return false;
  return services.size > 0 || [...tasks.keys()].some((task) => state.owned(keyOf('task', task)).length > 0);
};

export const removeNetwork = (view: CommandView, id: string): Unit => {
  const { state } = view;
  const network = state.get('network', id);
  if (!network) throw rpcError('NotFound', `network ${id} not found`);
  const user = userOf(state, id);
  if (user !== undefined)
    throw rpcError(
      'FailedPrecondition',
      network.ingress
        ? `ingress network cannot be removed because ${user} depends on it`
        : `network ${id} is in use by ${user}`,
    );
  const name = state.get('name', `network/${network.network.name}`);
  const vni = state.get('vni', String(network.vni));
  return unitOf(view, [
    ['network', network, 'remove'],
    ...(name ? [['name', name, 'remove'] as const] : []),
    ...(vni ? [['vni', vni, 'remove'] as const] : []),
    listed(view, (taken) => taken.filter(({ networkId }) => networkId !== id)),
  ]);
};
