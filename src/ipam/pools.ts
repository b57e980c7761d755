/** From what the user asked of a network's addresses to the pools it owns: subnets chosen, gateways decided. Pure. */
import { forbidden, invalid, ViaductError } from '../errors.js';
import type { Family, IpamConfig, Pool } from '../model/network.js';
import { formatAddress, formatPrefix, overlaps, type Prefix, prefixOf } from './address.js';
import { type Allocator, createAllocator } from './allocator.js';
import { readConfig, type SubnetRequest } from './config.js';
import { BUILT_IN_POOLS, chooseSubnet, type SplitPool } from './defaults.js';
import { Subnets } from './subnets.js';

export interface PoolsRequest {
  readonly ipv4: boolean;
  readonly ipv6: boolean;
  readonly config: readonly IpamConfig[];
  readonly networkId: string;
  /** choose a gateway where the user named none (drivers' `gateways`) */
  readonly gateways: { readonly ipv4: boolean; readonly ipv6: boolean };
}

export interface PoolsContext {
  /** subnets of every other network; kept by the engine from change to change */
  readonly taken: Subnets;
  /** what the host uses itself (`hostSubnets`): avoided when a subnet is chosen, not when the user names one */
  readonly host: Subnets;
  /** `--default-address-pool`; empty: built in */
  readonly defaultAddressPools: readonly SplitPool[];
  /** stable text of this host (the engine's id), for unique local addresses */
  readonly hostSeed: string;
}

/** `0.0.0.0/24` and `::/120` ask for a size, not for a subnet. */
const wantsChoice = ({ value }: Prefix): boolean => value === 0n;

const choose = (
  family: Family,
  asked: SubnetRequest | undefined,
  own: Subnets,
  { networkId }: PoolsRequest,
  context: PoolsContext,
): Prefix => {
  if (asked?.range) throw invalid('invalid address subpool: an ip-range needs a subnet of its own');
  const { defaultAddressPools, hostSeed } = context;
  return chooseSubnet({
    family,
    bits: asked && asked.subnet.bits > 0 ? asked.subnet.bits : undefined,
    pools: defaultAddressPools.length > 0 ? defaultAddressPools : BUILT_IN_POOLS,
    avoid: [context.taken, context.host, own],
    networkId,
    hostSeed,
  });
};

const claim = (subnet: Prefix, own: Subnets, { taken }: PoolsContext): Prefix => {
  if (taken.overlaps(subnet) || own.overlaps(subnet))
    throw forbidden('invalid pool request: Pool overlaps with other one on this address space');
  return subnet;
};

/** Where moby answers 500 for an address that cannot be had, the user is told it is theirs. */
const reserving = <T>(what: string, work: () => T): T => {
  try {
    return work();
  } catch (error) {
    if (error instanceof ViaductError) throw invalid(`failed to allocate ${what}: ${error.message}`, error);
    throw error;
  }
};

const automaticGateway = (allocator: Allocator): string => reserving('gateway ()', () => allocator.next());

/** A gateway of the user's is taken first, then auxiliary addresses, then one is chosen: the lowest left in the range. */
const settle = (subnet: Prefix, asked: SubnetRequest | undefined, wantsGateway: boolean): Pool => {
  const base: Pool = {
    family: subnet.family,
    subnet: formatPrefix(subnet),
    ...(asked?.range ? { range: formatPrefix(asked.range) } : {}),
    auxiliary: {},
  };
  const allocator = createAllocator(base);
  const named = asked?.gateway && formatAddress(asked.gateway);
  if (named !== undefined) reserving(`gateway (${named})`, () => allocator.take(named));
  const auxiliary = (asked?.auxiliary ?? []).map(([name, address]) => {
    const text = formatAddress(address);
    reserving(`secondary ip address (${name}:${text})`, () => allocator.take(text));
    return [name, text] as const;
  });
  const gateway = named ?? (wantsGateway ? automaticGateway(allocator) : undefined);
  return { ...base, ...(gateway === undefined ? {} : { gateway }), auxiliary: Object.fromEntries(auxiliary) };
};

/**
 * The pools of a new network, IPv4 first; each family that is on has at least one. Throws invalid for what cannot be
 * (`invalid network config:…`, pools exhausted), forbidden for what is another network's.
 */
export const resolvePools = (request: PoolsRequest, context: PoolsContext): readonly Pool[] => {
  const asked = readConfig(request.config, { 4: request.ipv4, 6: request.ipv6 });
  const own = new Subnets();
  const pools: Pool[] = [];
  const add = (family: Family, entry: SubnetRequest | undefined): void => {
    const subnet =
      entry && !wantsChoice(entry.subnet)
        ? claim(entry.subnet, own, context)
        : choose(family, entry, own, request, context);
    const pool = settle(subnet, entry, family === 4 ? request.gateways.ipv4 : request.gateways.ipv6);
    own.add(pool.subnet);
    pools.push(pool);
  };
  for (const family of [4, 6] as const) {
    const entries = asked.filter(({ subnet }) => subnet.family === family);
    if (entries.length > 0) for (const entry of entries) add(family, entry);
    else if (family === 4 ? request.ipv4 : request.ipv6) add(family, undefined);
  }
  return pools;
};

/** The subnets a network must keep others out of. */
export const subnetsOf = (pools: readonly Pool[]): readonly string[] => pools.map(({ subnet }) => subnet);

/** True where two networks' pools share an address. */
export const poolsOverlap = (a: Pool, b: Pool): boolean => overlaps(prefixOf(a.subnet), prefixOf(b.subnet));
