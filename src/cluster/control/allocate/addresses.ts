/** Addresses on a cluster's networks: chosen from what the records leave free, taken by a key that nobody else can make. */
import { emptySpace } from '../../../ipam/space.js';
import { bare, familyOf } from '../../../model/address.js';
import type { Pool } from '../../../model/network.js';
import { withLength } from '../../../model/pool.js';
import type { SwarmNetwork } from '../../../model/swarm/cluster.js';
import type { NetworkAddresses } from '../../../model/swarm/endpoint.js';
import { claim, type Draft, type Edit } from '../draft.js';

export interface Allocation {
  readonly addresses: NetworkAddresses;
  /** that make them the owner's */
  readonly edits: readonly Edit[];
}

const FAMILIES = [4, 6] as const;

const spaceOf = ({ state }: Draft, { id, network }: SwarmNetwork) =>
  state.taken.on(id) ?? emptySpace(...network.pools);

/** Names the subnets that are full, and how many they have: swarm's users could not find out. */
const exhausted = (draft: Draft, swarm: SwarmNetwork, pools: readonly Pool[]): string => {
  const space = spaceOf(draft, swarm);
  const each = pools.map((pool) => `${pool.range ?? pool.subnet}: all ${space.count(pool).inUse} in use`);
  return `no available IPv${pools[0]?.family ?? 4} addresses on network "${swarm.network.name}" (${each.join(', ')})`;
};

const firstFree = (draft: Draft, swarm: SwarmNetwork, pools: readonly Pool[]): string | undefined => {
  const space = spaceOf(draft, swarm);
  for (const pool of pools) if (space.count(pool).available > 0n) return withLength(space.free(pool), pool);
  return undefined;
};

/**
 * One address of each family that the network has; a text where there is none left. `fixed`: those that are the owner's to have
 * without being asked for.
 */
export const allocateAddresses = (
  draft: Draft,
  swarm: SwarmNetwork,
  owner: string,
  fixed: readonly string[] = [],
): Allocation | string => {
  const addresses: string[] = [];
  const free: string[] = [];
  for (const family of FAMILIES) {
    const pools = swarm.network.pools.filter((pool) => pool.family === family);
    if (pools.length === 0) continue;
    const chosen = fixed.find((address) => familyOf(address) === family);
    const address = chosen ?? firstFree(draft, swarm, pools);
    if (address === undefined) return exhausted(draft, swarm, pools);
    addresses.push(address);
    if (chosen === undefined) free.push(address);
  }
  return {
    addresses: { networkId: swarm.id, addresses },
    edits: free.map((address) => ['ip', claim(draft, `${swarm.id}/${bare(address)}`, owner)] as const),
  };
};
