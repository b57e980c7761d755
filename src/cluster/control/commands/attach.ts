/**
 * Containers on attachable networks that no service made: their node asks for the addresses, which become theirs in the transaction
 * that makes them known.
 */
import { bare } from '../../../model/address.js';
import type { RemoteEndpoint } from '../../../model/peer.js';
import { poolHolding, withLength } from '../../../model/pool.js';
import type { Attachment, SwarmNetwork } from '../../../model/swarm/cluster.js';
import { unwritten } from '../../../model/swarm/kept.js';
import { keyOf } from '../../../model/swarm/records.js';
import { rpcError } from '../../rpc.js';
import type { Edit, Unit } from '../draft.js';
import type { ClusterState } from '../state.js';
import { type CommandView, unitOf } from './view.js';

/** As its node says: with the length of its subnet each address. */
interface Endpoint extends Omit<RemoteEndpoint, 'id' | 'containerId'> {
  readonly id: string;
  readonly containerId: string;
}

interface AttachWish {
  readonly nodeId: string;
  readonly networkId: string;
  readonly endpoint: Endpoint;
}

/** `taken`, where not empty: addresses that are others', and nothing is done. */
interface Attached {
  readonly taken: readonly string[];
  readonly unit: Unit;
}

/** Enough to choose another by. */
const MOST_TOLD = 1_000;

/** Others' addresses on the network, those that were wished for in front. */
const others = (state: ClusterState, networkId: string, wished: readonly string[]): readonly string[] => {
  const { tasks, attachments, services } = state.onNetworks.of(networkId);
  const known = [
    ...[...tasks.values()].flatMap(({ networks }) => networks),
    ...attachments.values(),
    ...[...services.values()].flatMap(({ endpoint }) => endpoint?.virtualIps ?? []),
  ];
  const all = known.flatMap((on) => (on.networkId === networkId ? on.addresses.map(bare) : []));
  return [...new Set([...wished, ...all])].slice(0, MOST_TOLD);
};

const attachableNetwork = (state: ClusterState, id: string): SwarmNetwork => {
  const network = state.get('network', id);
  if (!network) throw rpcError('NotFound', `network ${id} not found`);
  if (network.ingress || !network.network.attachable)
    throw rpcError('PermissionDenied', `network ${network.network.name} not manually attachable`);
  return network;
};

/** With the length of their subnet. Throws where one is of no subnet of the network, or its gateway's. */
const addressesOf = ({ network }: SwarmNetwork, { ipv4, ipv6 }: Endpoint): readonly string[] =>
  [ipv4, ipv6].flatMap((address) => {
    if (address === undefined) return [];
    const pool = poolHolding(network, address);
    if (!pool || pool.gateway === bare(address) || withLength(bare(address), pool) !== address)
      throw rpcError(
        'InvalidArgument',
        `address ${address} is none for a container on network ${network.name}`,
      );
    return [address];
  });

const release = (
  state: ClusterState,
  { id, networkId, addresses }: Pick<Attachment, 'id' | 'networkId' | 'addresses'>,
): readonly Edit[] =>
  addresses.flatMap((address): readonly Edit[] => {
    const claimed = state.get('ip', `${networkId}/${bare(address)}`);
    return claimed?.owner === keyOf('attach', id) ? [['ip', claimed, 'remove']] : [];
  });

/** Somebody else's, or nobody's to have. */
const isTaken = (state: ClusterState, networkId: string, address: string, owner: string): boolean => {
  const holder = state.get('ip', `${networkId}/${address}`)?.owner;
  return holder === undefined ? state.taken.on(networkId)?.has(address) === true : holder !== owner;
};

/** Again with the same endpoint: what has changed of it. */
export const attach = (view: CommandView, { nodeId, networkId, endpoint }: AttachWish): Attached => {
  const { state, now } = view;
  const addresses = addressesOf(attachableNetwork(state, networkId), endpoint);
  const { id, containerId, containerName, mac, dnsNames } = endpoint;
  const owner = keyOf('attach', id);
  const former = state.get('attach', id);
  if (former && (former.nodeId !== nodeId || former.networkId !== networkId))
    throw rpcError('AlreadyExists', `endpoint ${id} is on another node or network`);
  const wished = addresses.map(bare);
  const held = wished.filter((address) => isTaken(state, networkId, address, owner));
  if (held.length > 0) return { taken: others(state, networkId, held), unit: [] };
  const attachment: Attachment = {
    ...(former ?? unwritten(now)),
    ...{ id, nodeId, networkId, addresses, containerId, containerName, mac, dnsNames },
  };
  const left = (former?.addresses ?? []).filter((address) => !addresses.includes(address));
  const fresh = wished.filter((address) => !state.get('ip', `${networkId}/${address}`));
  const edits: readonly Edit[] = [
    ['attach', attachment],
    ...release(state, { id, networkId, addresses: left }),
    ...fresh.map((address): Edit => ['ip', { ...unwritten(now), id: `${networkId}/${address}`, owner }]),
  ];
  return { taken: [], unit: unitOf(view, edits) };
};

/** With its addresses. */
export const detach = (view: CommandView, attachment: Attachment): Unit =>
  unitOf(view, [['attach', attachment, 'remove'], ...release(view.state, attachment)]);
