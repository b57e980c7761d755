/**
 * Keeps what the store says of this host as it is: containers that have come, gone or been renamed while the store was away, or
 * while this daemon was, and all of it where the store was emptied or set back. Level-triggered: it compares, and mends.
 */
import type { ClusterSide, ClusterStore, LocalEndpoint } from '../../engine/cluster.js';
import type { Logger } from '../../log.js';
import { keys } from './keys.js';
import { type Released, released, releaseEndpoint, restoreNetwork, type StoreParts } from './store.js';
import { readEndpoint, writeEndpoint } from './values.js';

export interface OwnParts extends Pick<StoreParts, 'etcd' | 'node' | 'place' | 'asking'> {
  readonly store: Pick<ClusterStore, 'claimEndpoint'>;
  /** what the store has, by keys below its root; absent: nothing of the key */
  readonly entries: () => ReadonlyMap<string, { readonly value: string; readonly modRevision: number }>;
  readonly log: Logger;
}

const restoreNetworks = async (parts: OwnParts, side: ClusterSide): Promise<void> => {
  const inUse = new Set(side.endpoints().map(({ networkId }) => networkId));
  for (const network of side.networks()) {
    if (
      !inUse.has(network.id) ||
      parts.entries().has(keys.network(network.id)) ||
      side.isUnderWay(network.id)
    )
      continue;
    if (await parts.asking(() => restoreNetwork(parts.etcd, network)))
      parts.log.warn(
        { network: network.name },
        'the cluster’s store had lost this network, and has it again',
      );
  }
};

const publish = async (parts: OwnParts, { networkId, endpoint }: LocalEndpoint): Promise<void> => {
  const { etcd, node, place } = parts;
  const key = keys.endpoint(networkId, node, endpoint.id);
  const wanted = writeEndpoint({ ...place, endpoint });
  const stored = parts.entries().get(key);
  if (stored?.value === wanted) return;
  if (stored) {
    const compare = [{ key, modRevision: stored.modRevision }];
    await parts.asking(() => etcd.txn({ compare, success: [{ do: 'put', key, value: wanted }] }));
    return;
  }
  const taken = await parts.store.claimEndpoint(networkId, endpoint);
  if (taken.length > 0)
    parts.log.error(
      { container: endpoint.containerName, addresses: taken },
      'addresses of this container are another host’s by now: disconnect it from the network and connect it again',
    );
};

/** Endpoints of this host's that the store has and no record wants, of a daemon that was killed in the middle of something. */
const strays = (parts: OwnParts, side: ClusterSide): readonly Released[] => {
  const wanted = new Set<string>(side.endpoints().map(({ endpoint }) => endpoint.id));
  return [...parts.entries()].flatMap(([key, { value }]) => {
    const [of, networkId = '', node, id = ''] = key.split('/');
    if (of !== 'endpoint' || node !== parts.node || wanted.has(id) || side.isUnderWay(id)) return [];
    const endpoint = readEndpoint(value)?.endpoint;
    return [endpoint ? released(networkId, endpoint) : { networkId, id, addresses: [] }];
  });
};

export const mend = async (parts: OwnParts, side: ClusterSide): Promise<void> => {
  await restoreNetworks(parts, side);
  for (const stray of strays(parts, side)) await parts.asking(() => releaseEndpoint(parts, stray));
  for (const local of side.endpoints()) if (!side.isUnderWay(local.endpoint.id)) await publish(parts, local);
};
