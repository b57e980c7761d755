/** Networks of a cluster: subnets and a VXLAN number are chosen and taken in the transaction that makes the record. */

import { ViaductError } from '../../../errors.js';
import { formatPrefix, masked, prefixOf } from '../../../ipam/address.js';
import { resolvePools } from '../../../ipam/pools.js';
import type { Network, Overlay } from '../../../model/network.js';
import { shownPool } from '../../../model/pool.js';
import type { SubnetList, SwarmNetwork } from '../../../model/swarm/cluster.js';
import { unwritten } from '../../../model/swarm/kept.js';
import { keyOf } from '../../../model/swarm/records.js';
import { rpcError } from '../../rpc.js';
import type { Edit, Unit } from '../draft.js';
import type { ClusterState } from '../state.js';
import { checkName } from './validate.js';
import { type CommandView, unitOf } from './view.js';

/** As swarmkit's: lower ones are for people who number by hand. */
const [FIRST_VNI, LAST_VNI] = [4096, 0xffffff];

export interface NetworkWish {
  /** without what is decided here: id, pools */
  readonly network: Omit<Network, 'id' | 'pools' | 'createdAt' | 'scope' | 'overlay' | 'ingress'>;
  readonly ingress: boolean;
  /** one of the VXLAN numbers, if any is named, and what all hosts agree on */
  readonly overlay: Omit<Overlay, 'vni'> & { readonly vnis: readonly number[] };
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
  try {
    return resolvePools(
      { ipv4: network.ipv4, ipv6: network.ipv6, config: network.ipam.config },
      {
        networkId: id,
        defaultPools: defaults,
        taken: state.taken.subnets,
        hostRoutes: state.routes,
        seed: cluster?.id ?? '',
      },
    );
  } catch (error) {
    if (error instanceof ViaductError) throw rpcError('InvalidArgument', error.message, error);
    throw error;
  }
};

const checkNew = (state: ClusterState, { network, ingress }: NetworkWish): void => {
  if (state.get('name', `network/${network.name}`))
    throw rpcError('AlreadyExists', `network ${network.name} already exists`);
  for (const other of ingress ? state.all('network').values() : [])
    if (other.ingress) throw rpcError('AlreadyExists', `ingress network (${other.id}) is already present`);
};

/** The list with a network's subnets, or without them. */
const listed = (
  { state, now }: CommandView,
  change: (taken: SubnetList['taken']) => SubnetList['taken'],
): Edit => {
  const list: SubnetList = state.get('subnets', '') ?? { ...unwritten(now), id: '', taken: [] };
  return ['subnets', { ...list, taken: change(list.taken) }];
};

export const createNetwork = (
  view: CommandView,
  wish: NetworkWish,
): { readonly id: Network['id']; readonly network: Network; readonly unit: Unit } => {
  const { state, now, newId } = view;
  checkName(wish.network.name);
  checkNew(state, wish);
  const id = newId();
  const pools = poolsFor(view, id, wish);
  const { vnis, ...agreed } = wish.overlay;
  const vni = chooseVni(state, vnis);
  const network: SwarmNetwork = {
    ...unwritten(now),
    id,
    network: {
      ...wish.network,
      id: id as Network['id'], // the brand is given here
      scope: 'swarm',
      createdAt: new Date(now).toISOString().replace(/Z$/, '000000Z'),
      pools,
      ipam: { ...wish.network.ipam, config: pools.map(shownPool) },
      overlay: { ...agreed, vni },
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
    listed(view, (taken) => [...taken, ...pools.map(({ subnet }) => ({ networkId: id, subnet }))]),
    ['vni', { ...unwritten(now), id: String(vni), owner }],
  ];
  return { id: network.network.id, network: network.network, unit: unitOf(view, edits) };
};

/** Who needs the network, so that it must stay. */
const userOf = (state: ClusterState, id: string): string | undefined => {
  const { services, tasks, attachments } = state.onNetworks.of(id);
  for (const service of services.keys()) return `service ${service}`;
  for (const task of tasks.keys()) if (state.owned(keyOf('task', task)).length > 0) return `task ${task}`;
  for (const attachment of attachments.keys()) return `task ${attachment}`;
  return undefined;
};

/** Nobody has it but tasks of services that are gone: they end, and with them what keeps it. */
export const isBeingLeft = (state: ClusterState, id: string): boolean => {
  const { services, tasks, attachments } = state.onNetworks.of(id);
  if (services.size > 0 || attachments.size > 0) return false;
  const left = [...tasks.values()].filter((task) => state.owned(keyOf('task', task.id)).length > 0);
  return left.length > 0 && left.every(({ serviceId }) => !state.get('service', serviceId));
};

export const removeNetwork = (view: CommandView, id: string): Unit => {
  const { state } = view;
  const network = state.get('network', id);
  if (!network) throw rpcError('NotFound', `network ${id} not found`);
  const user = userOf(state, id);
  if (user !== undefined) throw rpcError('FailedPrecondition', `network ${id} is in use by ${user}`);
  const name = state.get('name', `network/${network.network.name}`);
  const vni = state.get('vni', String(network.vni));
  return unitOf(view, [
    ['network', network, 'remove'],
    ...(name ? [['name', name, 'remove'] as const] : []),
    ...(vni ? [['vni', vni, 'remove'] as const] : []),
    listed(view, (taken) => taken.filter(({ networkId }) => networkId !== id)),
  ]);
};
